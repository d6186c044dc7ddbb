// SPDX-License-Identifier: Apache-2.0
// What a route table costs: memory by what the process grew, look-ups in random order, adding and
// removing, and reading a file.
//
//     route_table_load [NAMES]
#include "sentinel/route/routes_file.h"

#include <fmt/format.h>
#include <malloc.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <fstream>
#include <random>
#include <string>
#include <vector>

namespace {

using namespace berth;
using namespace berth::sentinel;
using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point begun) {
    return std::chrono::duration<double>(Clock::now() - begun).count();
}

std::size_t resident_bytes() {
    (void)::malloc_trim(0);
    std::size_t pages = 0, resident = 0;
    std::ifstream("/proc/self/statm") >> pages >> resident;
    return resident * static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
}

std::string name_of(std::size_t number) {
    return fmt::format("app{}.team{}.example.com", number, number % 1000);
}

void measure(std::size_t count, std::mt19937_64& random) {
    RouteTable table;
    const std::size_t before = resident_bytes();
    double parsed = 0;
    {
        std::string text;
        for (std::size_t number = 0; number < count; ++number) {
            text += fmt::format("{}{} 10.{}.{}.1:443 pool{}\n", number % 50 == 0 ? "*." : "",
                                name_of(number), number / 256 % 40, number % 256,
                                number % 256 + number / 256 % 40 * 256);
        }
        const auto begun = Clock::now();
        const auto file = RoutesFile::parse(std::move(text), {});
        if (!file || !table.replace(file->list())) std::exit(1);
        parsed = seconds_since(begun);
    }
    const std::size_t grown = resident_bytes() - before, counted = table.bytes();
    std::vector<std::string> wanted;
    for (int look = 0; look < 200'000; ++look) wanted.push_back(name_of(random() % count));
    RouteReader reader(table);
    std::size_t found = 0;
    const auto begun = Clock::now();
    for (const auto& name : wanted) {
        const RouteReader::Look look(reader);
        found += look.find(name) != nullptr ? 1U : 0U;
    }
    const double looked = seconds_since(begun);
    std::vector<double> added_us;
    const Pool pool{.name = "another", .primary = SocketAddress::parse("10.0.0.1:1").value()};
    for (int number = 0; number < 20'000; ++number) {
        const auto pattern = RoutePattern::parse(fmt::format("new{}.example.org", number)).value();
        const auto start = Clock::now();
        if (!table.add(pattern, pool)) std::exit(1);
        added_us.push_back(seconds_since(start) * 1e6);
    }
    std::ranges::sort(added_us);
    fmt::print(
        "{:>9} names: read in {:.3f} s, {:.1f} B each by the table's count, {:.1f} by the process; "
        "look-up {:.0f} ns "
        "({} found); adding one {:.2f} us (p50), {:.2f} us (p99)\n",
        count, parsed, static_cast<double>(counted) / static_cast<double>(count),
        static_cast<double>(grown) / static_cast<double>(count),
        looked / static_cast<double>(wanted.size()) * 1e9, found, added_us[added_us.size() / 2],
        added_us[added_us.size() * 99 / 100]);
}

}  // namespace

int main(int argc, char** argv) {
    std::mt19937_64 random(1);
    if (argc > 1) {
        measure(std::strtoul(argv[1], nullptr, 10), random);
        return 0;
    }
    for (const std::size_t count : {1UL, 1000UL, 100'000UL, 1'000'000UL}) measure(count, random);
    return 0;
}
