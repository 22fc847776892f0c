#pragma once

#include <memory>
#include <optional>

#include "learner/episodic_member.h"
#include "runtime/encoder.h"
#include "runtime/task_head.h"

namespace fewshop::learning {

/// The two halves of a runtime form: the trained network, and the head that adapts.
struct EncodedHalves {
  std::unique_ptr<Encoder> encoder;
  std::unique_ptr<TaskHead> head;
};

/// Nothing where the learner with its options, or its network, has no such form.
std::optional<EncodedHalves> encoded_parts(const EpisodicRecipe& recipe, const EpisodicModel& model);

/// The same for a network that does not run at serving time (gru, lstm, transformer): features of all items are
/// computed now, and the encoder's one field is the item's identity, with its features as embedding. An item that comes
/// later has features of 0. Nothing where features depend on the task's description.
std::optional<EncodedHalves> stored_parts(const EpisodicRecipe& recipe, const EpisodicModel& model,
                                          const ItemInputs& inputs);

}  // namespace fewshop::learning
