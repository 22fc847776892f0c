#include "runtime/encoder_forms.h"

namespace fewshop::encoder {
namespace {

/// Embeddings and straight numbers stand side by side [n]: what linear, mlp and dcn begin with (nn/field_embedding.h).
class SideBySide {
 public:
  SideBySide(const std::vector<Encoder::Field>& fields, int32_t k, const Parameter& parameter) {
    for (const auto& field : fields) {
      at_.push_back(size_);
      if (field.width)
        vectors_.push_back({nullptr, field.width, field.width});
      else
        vectors_.push_back({parameter("embedding." + field.name, static_cast<int64_t>(field.vocabulary) * k), k, 0});
      size_ += vectors_.back().width;
    }
  }
  int64_t size() const { return size_; }  // n
  int64_t at(size_t field) const { return at_[field]; }
  int32_t width(size_t field) const { return vectors_[field].width; }

  /// The vector of a field's value [width], in the scratch.
  const float* read(size_t field, const ColumnView& value, Encoder::Scratch& scratch) const {
    scratch.embedding.resize(static_cast<size_t>(width(field)));
    vectors_[field].read(value, scratch.embedding.data());
    return scratch.embedding.data();
  }

 private:
  std::vector<FieldVector> vectors_;
  std::vector<int64_t> at_;
  int64_t size_ = 0;
};

/// linear and mlp (nn/mlp.cpp). A part is the product of the first layer, or the input itself where there is none.
class StraightEncoder : public Encoder {
 public:
  explicit StraightEncoder(Arrays arrays)
      : Encoder(std::move(arrays)),
        input_(fields(), options().embedding, [this](const std::string& n, int64_t s) { return parameter(n, s); }) {
    EncoderOptions layers = options();
    if (layers.name == "linear") layers.hidden.clear();
    layers_ = {input_.size(), layers, [this](const std::string& n, int64_t s) { return parameter(n, s); }};
    if (layers_.part_size())
      set_sizes(layers_.part_size(), layers_.outputs());
    else
      set_sizes(input_.size(), input_.size());
  }

  void finish(std::span<const float> part, Scratch& scratch, std::span<float> features) const override {
    if (layers_.part_size())
      layers_.finish(part.data(), scratch, features.data());
    else
      std::copy(part.begin(), part.end(), features.begin());
  }

 protected:
  void add_value(size_t field, const ColumnView& value, Scratch& scratch, std::span<float> part) const override {
    const float* x = input_.read(field, value, scratch);
    if (layers_.part_size())
      layers_.add(input_.at(field), x, input_.width(field), part.data());
    else
      MutableVector(part.data() + input_.at(field), input_.width(field)) += Vector(x, input_.width(field));
  }

 private:
  SideBySide input_;
  DenseLayers layers_;
};

/// dcn (nn/dcn.cpp). A part is the input x_0 [n], its product with the first cross matrix, and with the first layer.
class CrossEncoder : public Encoder {
 public:
  explicit CrossEncoder(Arrays arrays)
      : Encoder(std::move(arrays)),
        input_(fields(), options().embedding, [this](const std::string& n, int64_t s) { return parameter(n, s); }),
        n_(input_.size()),
        rank_(options().cross_rank) {
    for (int l = 0; l < options().cross_layers; ++l) {
      const std::string name = "cross." + std::to_string(l);
      if (rank_) down_.push_back(parameter(name + ".down", rank_ * n_));
      weight_.push_back(parameter(name + ".weight", n_ * (rank_ ? rank_ : n_)));
      bias_.push_back(parameter(name + ".bias", n_));
    }
    layers_ = {n_, options(), [this](const std::string& n, int64_t s) { return parameter(n, s); }};
    set_sizes(n_ + first() + layers_.part_size(), n_ + layers_.outputs());
  }

  void finish(std::span<const float> part, Scratch& scratch, std::span<float> features) const override {
    scratch.embedding.resize(static_cast<size_t>(n_));
    scratch.first.resize(static_cast<size_t>(std::max<int64_t>(rank_, 1)));
    const Vector x0(part.data(), n_);
    MutableVector x(features.data(), n_), y(scratch.embedding.data(), n_), inner(scratch.first.data(), rank_);
    x = x0;
    for (size_t l = 0; l < weight_.size(); ++l) {
      y = Vector(bias_[l], n_);
      if (rank_) {
        if (l == 0)
          inner = Vector(part.data() + n_, rank_);
        else
          inner.noalias() = Matrix(down_[l], rank_, n_) * x;
        y.noalias() += Matrix(weight_[l], n_, rank_) * inner;
      } else if (l == 0) {
        y += Vector(part.data() + n_, n_);
      } else {
        y.noalias() += Matrix(weight_[l], n_, n_) * x;
      }
      x.array() += x0.array() * y.array();
    }
    if (layers_.part_size()) layers_.finish(part.data() + n_ + first(), scratch, features.data() + n_);
  }

 protected:
  void add_value(size_t field, const ColumnView& value, Scratch& scratch, std::span<float> part) const override {
    const int32_t width = input_.width(field);
    const int64_t at = input_.at(field);
    const Vector x(input_.read(field, value, scratch), width);
    MutableVector(part.data() + at, width) += x;
    const Matrix matrix(rank_ ? down_[0] : weight_[0], first(), n_);
    MutableVector(part.data() + n_, first()).noalias() += matrix.middleCols(at, width) * x;
    if (layers_.part_size()) layers_.add(at, x.data(), width, part.data() + n_ + first());
  }

 private:
  /// Numbers of the first cross product.
  int64_t first() const { return rank_ ? rank_ : n_; }

  SideBySide input_;
  int64_t n_, rank_;
  std::vector<const float*> down_, weight_, bias_;
  DenseLayers layers_;
};

}  // namespace

std::unique_ptr<Encoder> make_straight(Encoder::Arrays arrays) {
  return std::make_unique<StraightEncoder>(std::move(arrays));
}

std::unique_ptr<Encoder> make_cross(Encoder::Arrays arrays) {
  return std::make_unique<CrossEncoder>(std::move(arrays));
}

}  // namespace fewshop::encoder
