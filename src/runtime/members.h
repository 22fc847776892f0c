#pragma once

#include <memory>

#include "runtime/member.h"

namespace fewshop {

class TensorFile;

/// Reads back what Member::save wrote; the text value "kind" names the class. Throws InvalidInput for an unknown kind
/// or arrays whose shapes disagree (every index is checked: a damaged file never leads outside an array).
std::unique_ptr<Member> load_member(const TensorFile& file);

/// The kind of members that have no runtime form: they answer through the library that trains.
inline constexpr const char* kTrainingKind = "episodic";

/// How load_member reads members of kTrainingKind; without one it refuses them, naming the learner.
void set_training_loader(std::unique_ptr<Member> (*loader)(const TensorFile&));

}  // namespace fewshop
