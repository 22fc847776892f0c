#pragma once

#include <string>

namespace fewshop {

/// A folder of files that come with the program ("scenarios", "datasets"): $FEWSHOP_HOME/NAME where that variable is
/// set, else ../share/fewshop/NAME beside the library (an installation), else ../../NAME (a build tree). Empty when
/// there is none.
std::string resource_folder(const std::string& name);

/// The folder that this library was loaded from; empty when the system does not tell.
std::string library_folder();

}  // namespace fewshop
