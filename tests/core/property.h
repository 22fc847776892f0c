#pragma once

#include <gtest/gtest.h>
#include <rapidcheck.h>

namespace fewshop {

/// A RapidCheck property inside a GoogleTest test.
template <class Property>
void expect_property(const char* sentence, Property&& property) {
  EXPECT_TRUE(rc::check(sentence, std::forward<Property>(property)));
}

}  // namespace fewshop
