#pragma once

#include <functional>
#include <memory>

#include "runtime/row_member.h"

namespace fewshop {

class TensorFile;

/// Reads back members that the runtime itself does not know (they need a library of training to answer): null where it
/// does not know the kind either.
using RowMemberLoader = std::function<std::unique_ptr<RowMember>(const TensorFile&)>;

/// Reads back what RowMember::save wrote; the text "kind" names the class. Null for a kind that neither the runtime nor
/// `other` knows. Throws InvalidInput for arrays whose shapes disagree.
std::unique_ptr<RowMember> load_row_member(const TensorFile& file, const RowMemberLoader& other = {});

}  // namespace fewshop
