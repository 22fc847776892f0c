#pragma once

#include <memory>

#include "runtime/member.h"

namespace fewshop {

class TensorFile;

/// Reads back what Member::save wrote; the text value "kind" names the class. Throws InvalidInput for an unknown kind
/// or arrays whose shapes disagree (every index is checked: a damaged file never leads outside an array).
std::unique_ptr<Member> load_member(const TensorFile& file);

}  // namespace fewshop
