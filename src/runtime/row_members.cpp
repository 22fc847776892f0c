#include "runtime/row_members.h"

#include "bundle/tensor_file.h"
#include "runtime/encoded_row_member.h"
#include "runtime/linear_member.h"
#include "runtime/mean_member.h"
#include "runtime/tree_member.h"

namespace fewshop {
namespace {

struct Kind {
  const char* name;
  std::unique_ptr<RowMember> (*load)(const TensorFile&);
};

// Every class of row member that the runtime answers for, by the text "kind" that its save() writes.
constexpr Kind kKinds[] = {
    {"encoded", EncodedRowMember::load},
    {"linear", LinearMember::load},
    {"mean", MeanMember::load},
    {"trees", TreeMember::load},
};

}  // namespace

std::unique_ptr<RowMember> load_row_member(const TensorFile& file, const RowMemberLoader& other) {
  const std::string& wanted = file.text("kind");
  for (const Kind& kind : kKinds)
    if (wanted == kind.name) return kind.load(file);
  return other ? other(file) : nullptr;
}

}  // namespace fewshop
