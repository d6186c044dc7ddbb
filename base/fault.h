// SPDX-License-Identifier: Apache-2.0
// Fault injection: at every step of every change of several steps is a named point at which a test
// makes the program fail or die. Without the build option BERTH_FAULTS none of it is compiled.
#pragma once

#include "base/fault_option.h"
#include "tools-schema/contract/result.h"

#include <algorithm>
#include <array>
#include <filesystem>
#include <string_view>

namespace berth::fault {

/// Every point, in the order of a container's life. A point that is reached and is not in this list
/// does not compile; tests/system/test_faults.py reaches each of them.
inline constexpr auto points = std::to_array<std::string_view>({
    "container.reserve",     // a row and what goes with it, before they are committed
    "ssh.host_files",        // the SSH service's key and configuration
    "engine.disk",           // its own disk, before there is a file for it
    "engine.disk.made",      // the file, with no file system in it
    "engine.disk.mount",     // that has a loop device, and is not mounted
    "engine.layers",         // a container's own layer
    "engine.mount",          // its root, before anything of it is mounted
    "engine.mount.attach",   // before the mount is put in its place
    "engine.seed",           // a file in it
    "ssh.keys",              // the list of who may log in
    "engine.share",          // berth's directory in the container
    "guest.listen",          // the container's own socket
    "engine.shares",         // a directory of the host in the container
    "engine.equip",          // what a device needs besides its nodes
    "engine.nodes",          // one node of a device is made
    "engine.launch",         // before liblxc is asked
    "engine.launched",       // its init runs
    "engine.set_apart",      // there is a group for the helper, and the helper is not in it
    "engine.views",          // its own limits in its /proc
    "net.confine",           // its link
    "net.confine.address",   // its link, with half of the rules for it
    "net.rates",             // the rates of its link, before any is set
    "net.rates.detour",      // there is the other link that what it sends takes, and leads nowhere
    "ssh.listen",            // the port for SSH
    "agent.inject",          // berth's helper in the container
    "ssh.prove",             // whether SSH answers
    "net.forwards",          // the forwards, before any is changed
    "container.ready",       // done but for the row
    "standby.claim",         // the row that waited is the caller's, before that is committed
    "engine.rename",         // before it gets the caller's name
    "standby.named",         // it has its name and its keys
    "standby.ready",         // done but for the row
    "container.started",     // running but for the row
    "container.ended",       // it has ended by itself, which nobody has noted
    "container.stop",        // wanted stopped, and running
    "engine.stop",           // before a signal
    "engine.stopped",        // ended, with its groups and link there
    "container.delete",      // the row says deleting
    "engine.kill",           // before a signal
    "container.retire",      // ended, and its name and ports are its own
    "engine.destroy",        // deleted for its caller, with all that was made for it there
    "engine.unmount",        // with its root mounted
    "engine.remove_files",   // with its files there
    "container.remove",      // gone but for the row
    "port.added",            // the row is there, the forward is not
    "port.removed",          // the row is gone, the forward is not
    "ssh.key_added",         // the list is written, the row is not committed
    "engine.limit",          // before any limit is changed
    "container.update",      // limits are changed, the row is not
    "engine.device_add",     // before a running container gets a device
    "engine.device_made",    // it may open that, and does not see it
    "engine.device_remove",  // before it loses one
    "engine.device_denied",  // it sees that, and may not open it
    "gpu.leased",            // a GPU is a running container's, and its devices are not there
    "engine.freeze",         // before processes are halted
    "engine.thaw",           // before they go on
    "snapshot.begin",        // the new layer's directory is there
    "snapshot.copy",         // the container is held still
    "snapshot.place",        // copied, and not in its place
    "snapshot.placed",       // in its place, without a row
    "snapshot.record",       // the rows are not committed
    "fork.record",           // the layer is not in the store
    "export.write",          // the layer is taken, nothing is written
    "import.unpack",         // the directory for its layers is there
    "import.place",          // unpacked and found whole, not in its place
    "import.record",         // its rows are not committed
    "restore.prepare",       // before the new root is made
    "restore.record",        // it is made, and the row says the old one
    "restore.recorded",      // the row says the new one, and the old one's files are there
    "snapshot.remove",       // before the row goes
    "layer.discard",         // the row is gone, its files are there
});

/// A name from the list above.
class Point {
public:
    // NOLINTNEXTLINE(google-explicit-constructor): a name is what a point is.
    consteval Point(const char* name) : name_(name) {
        if (std::ranges::find(points, name_) == points.end()) throw "there is no such point";
    }
    [[nodiscard]] constexpr std::string_view name() const { return name_; }

private:
    std::string_view name_;
};

#ifdef BERTH_FAULTS
/// From now on points look into this file; "": into none. Called while there is one thread.
void watch(std::filesystem::path file);

/// Fails if the watched file has this point's name, and kills the program if " kill" follows it;
/// the file is removed before, so each of these comes true once. With " hold" after the name it
/// waits there for as long as somebody has the file locked (flock(2)), and goes on.
[[nodiscard]] Result<> at(Point point);
#else
[[nodiscard]] inline Result<> at(Point) {
    return {};
}
#endif

}  // namespace berth::fault
