#include "runtime/members.h"

#include <atomic>
#include <nlohmann/json.hpp>
#include <string>

#include "runtime/als_member.h"
#include "runtime/bayes_member.h"
#include "runtime/bias_member.h"
#include "runtime/encoded_member.h"
#include "runtime/item_item_member.h"
#include "runtime/member_support.h"
#include "runtime/popularity_member.h"
#include "runtime/rating_knn_member.h"
#include "runtime/session_knn_member.h"

namespace fewshop {

namespace {

struct Kind {
  const char* name;
  std::unique_ptr<Member> (*load)(const TensorFile&);
};

// Every class of member that a bundle can hold, by the text value "kind" that its save() writes.
constexpr Kind kKinds[] = {
    {"als", AlsMember::load},
    {"bayes", BayesMember::load},
    {"bias", BiasMember::load},
    {"encoded", EncodedMember::load},
    {"item-item", ItemItemMember::load},
    {"popularity", PopularityMember::load},
    {"rating-knn", RatingKnnMember::load},
    {"session-knn", SessionKnnMember::load},
};

std::atomic<std::unique_ptr<Member> (*)(const TensorFile&)> training_loader = nullptr;

/// "maml" of {"learner": "maml", ...}.
std::string learner_of(const TensorFile& file) {
  const auto recipe = nlohmann::json::parse(file.text("recipe"), nullptr, false);
  return recipe.is_object() ? recipe.value("learner", "unknown") : "unknown";
}

std::unique_ptr<Member> load_training_member(const TensorFile& file) {
  if (const auto loader = training_loader.load()) return loader(file);
  throw InvalidInput("member: '" + learner_of(file) +
                     "' has no runtime form with these options: it answers only where models are trained (fewshop "
                     "evaluate, compare), not from a server or the C interface; docs/learners/README.md says which "
                     "learners have one");
}

}  // namespace

void set_training_loader(std::unique_ptr<Member> (*loader)(const TensorFile&)) { training_loader = loader; }

std::unique_ptr<Member> load_member(const TensorFile& file) {
  const std::string& wanted = file.text("kind");
  if (wanted == kTrainingKind) return load_training_member(file);
  std::string known;
  for (const Kind& kind : kKinds) {
    if (wanted == kind.name) return kind.load(file);
    known += (known.empty() ? "" : ", ") + std::string(kind.name);
  }
  throw InvalidInput("member: unknown kind '" + wanted + "'; known kinds: " + known +
                     "; the bundle is damaged or was written by a newer version");
}

}  // namespace fewshop
