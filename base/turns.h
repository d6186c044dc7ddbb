// SPDX-License-Identifier: Apache-2.0
// Which of our threads go first when processors are short.
#pragma once

namespace berth {

/// The calling thread goes before ordinary ones, as far as the kernel lets us: it is for those that
/// answer, and not for long work. Threads made by it inherit that.
void go_first() noexcept;

/// Takes that back, for a thread that works long.
void go_in_turn() noexcept;

/// The calling thread works on what nobody waits for: everybody else goes before it.
void go_last() noexcept;

}  // namespace berth
