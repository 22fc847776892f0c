#include "runtime/members.h"

#include <string>

#include "runtime/als_member.h"
#include "runtime/bayes_member.h"
#include "runtime/bias_member.h"
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
    {"item-item", ItemItemMember::load},
    {"popularity", PopularityMember::load},
    {"rating-knn", RatingKnnMember::load},
    {"session-knn", SessionKnnMember::load},
};

}  // namespace

std::unique_ptr<Member> load_member(const TensorFile& file) {
  const std::string& wanted = file.text("kind");
  std::string known;
  for (const Kind& kind : kKinds) {
    if (wanted == kind.name) return kind.load(file);
    known += (known.empty() ? "" : ", ") + std::string(kind.name);
  }
  throw InvalidInput("member: unknown kind '" + wanted + "'; known kinds: " + known +
                     "; the bundle is damaged or was written by a newer version");
}

}  // namespace fewshop
