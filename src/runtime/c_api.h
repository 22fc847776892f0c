#pragma once

#include <memory>

#include "fewshop/runtime.h"

namespace fewshop {

class Model;

/// A model in memory as the C interface knows it: for tests, and for C++ programs that hand one to C. Destroyed with
/// fewshop_close.
fewshop_model* to_c(std::shared_ptr<Model> model);

}  // namespace fewshop
