#include "core/cancel.h"

#include <unistd.h>

#include <atomic>
#include <csignal>

#include "core/error.h"

namespace fewshop {
namespace {

// Lock-free, so that a signal handler may set it while threads read it.
std::atomic<bool> flag{false};
static_assert(std::atomic<bool>::is_always_lock_free);

void on_signal(int) {
  if (flag.exchange(true)) _exit(130);
}

}  // namespace

void install_cancel_handler() {
  struct sigaction action = {};
  action.sa_handler = on_signal;
  action.sa_flags = SA_RESTART;  // a file that is being read is read on; loops look at the flag
  sigaction(SIGINT, &action, nullptr);
  sigaction(SIGTERM, &action, nullptr);
  // A file at its size limit is an error of the write, with a message, not the end of the process.
  std::signal(SIGXFSZ, SIG_IGN);
}

bool cancelled() noexcept { return flag; }

void check_cancelled() {
  if (flag) throw Interrupted();
}

void set_cancelled(bool value) noexcept { flag = value; }

}  // namespace fewshop
