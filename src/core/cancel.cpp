#include "core/cancel.h"

#include <csignal>
#include <unistd.h>

#include "core/error.h"

namespace fewshop {
namespace {

volatile std::sig_atomic_t flag = 0;

void on_signal(int) {
  if (flag) _exit(130);
  flag = 1;
}

}  // namespace

void install_cancel_handler() {
  struct sigaction action = {};
  action.sa_handler = on_signal;
  sigaction(SIGINT, &action, nullptr);
  sigaction(SIGTERM, &action, nullptr);
}

bool cancelled() noexcept { return flag != 0; }

void check_cancelled() {
  if (flag) throw Interrupted();
}

void set_cancelled(bool value) noexcept { flag = value; }

}  // namespace fewshop
