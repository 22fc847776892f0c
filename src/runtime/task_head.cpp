#include "runtime/task_head.h"

#include "bundle/tensor_file.h"
#include "core/error.h"
#include "runtime/bayes_head.h"
#include "runtime/context_head.h"
#include "runtime/gradient_head.h"
#include "runtime/prototype_head.h"
#include "runtime/ridge_head.h"

namespace fewshop {
namespace {

struct Kind {
  const char* name;
  std::unique_ptr<TaskHead> (*load)(const TensorFile&, const std::string& prefix);
};

// Every class of head that a file can hold, by the text "kind" that its save() writes.
constexpr Kind kKinds[] = {
    {"bayes-head", BayesHead::load},         {"context-head", ContextHead::load}, {"gradient-head", GradientHead::load},
    {"prototype-head", PrototypeHead::load}, {"ridge-head", RidgeHead::load},
};

}  // namespace

std::unique_ptr<TaskHead> load_task_head(const TensorFile& file, const std::string& prefix) {
  const std::string& wanted = file.text(prefix + "kind");
  std::string known;
  for (const Kind& kind : kKinds) {
    if (wanted == kind.name) return kind.load(file, prefix);
    known += (known.empty() ? "" : ", ") + std::string(kind.name);
  }
  throw InvalidInput("head: unknown kind '" + wanted + "'; known kinds: " + known +
                     "; the bundle is damaged or was written by a newer version");
}

}  // namespace fewshop
