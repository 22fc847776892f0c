#pragma once

#include <string>

#include "online/shop.h"

namespace fewshop {

/// A shop of random numbers of any size, to measure a server with: items, users with events, and a model with every
/// part that a training by default leaves (head, all default baselines, stack, gate open from one event on). Nothing
/// can be learnt from it, but the parts belong together: sessions of session-knn are the users' events, factors of ALS
/// go along with the head's vectors.
class SyntheticShop {
 public:
  struct Size {
    int items = 100'000, users = 20'000, events = 20, d = 64;
    int neighbours = 200;    // kept of an item by the item-item members
    int item_item = 20'000;  // items that have any
    int centres = 0;         // > 0: item vectors lie around so many centres, as those of like products do
  };
  explicit SyntheticShop(const Size& size) : size_(size) {}

  /// Items "item-0", ... and users "user-0", ... with their events; in large batches.
  void fill(Shop& shop) const;
  /// A bundle of scenario "synthetic".
  void write_model(const std::string& folder) const;

 private:
  void choose_depth(Model& model) const;
  Size size_;
};

}  // namespace fewshop
