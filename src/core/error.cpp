#include "core/error.h"

#include <new>

namespace fewshop {

int exit_status_of_current_exception(std::string& message) {
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
  }
}

}  // namespace fewshop
