#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "feature/columns.h"
#include "runtime/encoder_options.h"

namespace fewshop {

class TensorFile;

// Axes: D features, O outputs, P size of a part, k embedding size, V entries of a vocabulary.

/// A trained network at serving time (training: nn/network.h): encoded fields of one row to features [D] and outputs
/// [O]. linear, mf, mlp, deepfm and dcn have this form; it answers as the form they were trained in.
///
/// Everything before the first activation or product adds up over the fields, so a row is encoded by parts [P]:
///
///   part of the task's fields (once per task) + part of the item's fields (once per item) -> finish -> features
///
/// Immutable; one Scratch a thread. Nothing is allocated once a scratch has been used.
class Encoder {
 public:
  /// One field of a row, in the network's order.
  struct Field {
    std::string name;        // with its prefix: "items.genres"; identities as well
    int32_t width = 0;       // of numbers
    int32_t vocabulary = 0;  // of entries: categories, words, identities; V
  };
  /// Everything that an encoder is: parameters by their names in training, rows one after the other.
  struct Arrays {
    EncoderOptions options;
    std::vector<Field> fields;
    int32_t outputs = 1;
    std::map<std::string, std::vector<float>> parameters;
  };
  struct Scratch {
    std::vector<float> part, embedding, first, second;
  };

  /// Whether a network has this form; gru, lstm and transformer have not: vectors of items are
  /// stored (learner/encoded_parts.h).
  static bool has_form(const EncoderOptions& options);

  /// Throws InvalidInput where a parameter is missing, of another size, or not of this network.
  static std::unique_ptr<Encoder> make(Arrays arrays);
  virtual ~Encoder() = default;
  Encoder(const Encoder&) = delete;
  Encoder& operator=(const Encoder&) = delete;

  const std::vector<Field>& fields() const { return a_.fields; }
  const EncoderOptions& options() const { return a_.options; }
  int32_t feature_size() const { return feature_size_; }  // D
  int32_t outputs() const { return a_.outputs; }          // O
  int32_t part_size() const { return part_size_; }        // P

  /// Adds what one field contributes to a part [P], which starts from 0. A value without numbers and entries
  /// contributes nothing. Throws InvalidInput where it is not of this field.
  void add(size_t field, const ColumnView& value, Scratch& scratch, std::span<float> part) const;

  /// Features [D] of a row from the sum [P] of the parts of all its fields.
  virtual void finish(std::span<const float> part, Scratch& scratch, std::span<float> features) const = 0;

  /// Features of a row from one value per field.
  void encode(std::span<const ColumnView> row, Scratch& scratch, std::span<float> features) const;

  /// The trained head: features [D] -> outputs [O].
  void head(std::span<const float> features, std::span<float> outputs) const;

  /// Names in the file begin with `prefix`.
  void save(TensorFile& file, const std::string& prefix) const;
  static std::unique_ptr<Encoder> load(const TensorFile& file, const std::string& prefix);

 protected:
  explicit Encoder(Arrays arrays);
  /// add() of a value that was checked.
  virtual void add_value(size_t field, const ColumnView& value, Scratch& scratch, std::span<float> part) const = 0;

  /// The parameter `name`, of exactly this many numbers.
  const float* parameter(const std::string& name, int64_t size);
  void set_sizes(int64_t part, int64_t features);

 private:
  Arrays a_;
  size_t used_ = 0;  // parameters that were asked for
  int32_t feature_size_ = 0, part_size_ = 0;
  const float *head_weight_ = nullptr, *head_bias_ = nullptr;
};

}  // namespace fewshop
