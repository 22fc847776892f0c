#include "core/error.h"

#include <new>

#include "core/cancel.h"

namespace fewshop {

int exit_status_of_current_exception(std::string& message) {
  // What fails after the user has asked to stop (a query cut off, a wait given up) fails because of that.
  if (cancelled()) {
    message = "interrupted";
    return 130;
  }
  try {
    throw;
  } catch (const Interrupted& e) {
    message = e.what();
    return 130;
  } catch (const InvalidInput& e) {
    message = e.what();
    return 2;
  } catch (const std::bad_alloc&) {
    message = "out of memory";
    return 1;
  } catch (const std::exception& e) {
    message = e.what();
    return 1;
  } catch (...) {
    message = "unknown error";
    return 1;
  }
}

}  // namespace fewshop
