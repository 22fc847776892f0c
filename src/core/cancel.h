#pragma once

namespace fewshop {

/// Makes SIGINT and SIGTERM set the flag below; a second one ends the process at once.
void install_cancel_handler();

/// Whether the user asked to stop.
bool cancelled() noexcept;

/// Throws Interrupted if the user asked to stop. Long loops call it between units of work.
void check_cancelled();

/// Sets or clears the flag (tests).
void set_cancelled(bool value) noexcept;

}  // namespace fewshop
