#pragma once

#include <cstdint>
#include <cstring>
#include <map>
#include <span>
#include <string>
#include <type_traits>
#include <vector>

#include "core/error.h"
#include "core/large_pages.h"

namespace fewshop {

/// Named arrays and text values, kept in one safetensors file (little endian; F32, F64, I32, I64, U8).
/// Names are kept in order, so that equal contents give equal bytes.
class TensorFile {
 public:
  struct Tensor {
    std::string dtype;
    std::vector<int64_t> shape;
    std::vector<std::byte> bytes;
  };

  template <class T>
  void put(const std::string& name, std::span<const T> values, std::vector<int64_t> shape = {}) {
    if (shape.empty()) shape = {static_cast<int64_t>(values.size())};
    Tensor tensor{dtype_of<T>(), std::move(shape), std::vector<std::byte>(values.size_bytes())};
    if (!values.empty()) std::memcpy(tensor.bytes.data(), values.data(), values.size_bytes());
    tensors_[name] = std::move(tensor);
  }
  template <class T>
  void put(const std::string& name, const std::vector<T>& values, std::vector<int64_t> shape = {}) {
    put(name, std::span<const T>(values), std::move(shape));
  }

  /// Throws InvalidInput when the name is absent or of another type.
  template <class T>
  std::vector<T> get(const std::string& name) const {
    const Tensor& tensor = at(name);
    require(tensor.dtype == dtype_of<T>(), origin_, ": tensor ", name, " is ", tensor.dtype, ", expected ",
            dtype_of<T>());
    return copy_to_large_pages(
        std::span(reinterpret_cast<const T*>(tensor.bytes.data()), tensor.bytes.size() / sizeof(T)));
  }
  const std::vector<int64_t>& shape(const std::string& name) const { return at(name).shape; }
  bool has(const std::string& name) const { return tensors_.count(name) > 0; }

  void put_text(const std::string& name, std::string value) { text_[name] = std::move(value); }
  const std::string& text(const std::string& name) const;
  bool has_text(const std::string& name) const { return text_.count(name) > 0; }

  /// Text lists (ids, vocabularies) are kept as one U8 tensor of bytes and one I64 tensor of ends.
  void put_strings(const std::string& name, const std::vector<std::string>& values);
  std::vector<std::string> get_strings(const std::string& name) const;

  /// The safetensors bytes, and back. `origin` begins error messages. Any damage is InvalidInput, never a crash.
  std::string serialize() const;
  static TensorFile parse(std::string_view bytes, const std::string& origin);

  void save(const std::string& path) const;
  static TensorFile load(const std::string& path);

 private:
  template <class T>
  static const char* dtype_of() {
    if constexpr (std::is_same_v<T, float>)
      return "F32";
    else if constexpr (std::is_same_v<T, double>)
      return "F64";
    else if constexpr (std::is_same_v<T, int32_t>)
      return "I32";
    else if constexpr (std::is_same_v<T, int64_t>)
      return "I64";
    else {
      static_assert(std::is_same_v<T, uint8_t>);
      return "U8";
    }
  }
  const Tensor& at(const std::string& name) const;

  std::map<std::string, Tensor> tensors_;
  std::map<std::string, std::string> text_;
  std::string origin_ = "tensors";
};

}  // namespace fewshop
