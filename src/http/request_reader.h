#pragma once

#include <boost/beast/http/basic_parser.hpp>
#include <boost/beast/http/error.hpp>
#include <memory>
#include <optional>
#include <string>

#include "core/text.h"
#include "http/coding.h"
#include "http/route.h"

namespace fewshop::http {

/// Beast's parser, filling a Request directly. Included by server.cpp and answering.cpp only: Beast costs tens of
/// seconds of compiling.
class RequestReader final : public boost::beast::http::basic_parser<true> {
 public:
  using ErrorCode = boost::beast::error_code;
  using View = boost::beast::string_view;

  RequestReader(size_t max_header, size_t max_body, size_t max_decoded)
      : max_header_(max_header), max_body_(max_body), max_decoded_(max_decoded) {
    header_limit(static_cast<uint32_t>(max_header));
    body_limit(max_body);
  }

  std::shared_ptr<Request> request = std::make_shared<Request>();
  std::string method, target;
  int version = 11;            // 10 or 11
  size_t bytes = 0;            // of the body, as sent
  bool expects = false;        // "Expect: 100-continue"
  bool expects_other = false;  // any other expectation
  bool other_coding = false;   // a Transfer-Encoding that is not "chunked" alone
  size_t hosts = 0;

  /// Before the body is read. Throws HttpError 415.
  void start_body() { decoder_ = Decoder::of(request->header("content-encoding"), max_decoded_); }

  /// From now on the body is thrown away: its answer is known.
  void discard_body() { discard_ = true; }

  /// What the client is told of an error of `put`.
  HttpError refusal(const ErrorCode& why) const {
    using Error = boost::beast::http::error;
    if (thrown_) return *thrown_;
    if (why == Error::header_limit) {
      if (method.empty())  // not even the request line is complete
        return {414, "address_too_long", "the address is over " + std::to_string(max_header_) + " bytes"};
      return {431, "headers_too_large", "the headers are over " + std::to_string(max_header_) + " bytes"};
    }
    if (why == Error::body_limit)
      return {413, "body_too_large", "the body is over " + std::to_string(max_body_) + " bytes"};
    if (why == Error::bad_version) return {505, "unsupported_version", "HTTP/1.0 and HTTP/1.1 are spoken here"};
    return {400, "malformed_request", "not HTTP: " + why.message()};
  }

 protected:
  void on_request_impl(boost::beast::http::verb, View method_name, View address, int http_version,
                       ErrorCode&) override {
    version = http_version;
    method.assign(method_name.data(), method_name.size());
    target.assign(address.data(), address.size());
  }
  void on_field_impl(boost::beast::http::field which, View name, View value, ErrorCode& error) override {
    using Field = boost::beast::http::field;
    // Trailers come here too. Nothing that is decided by a header may be changed by them.
    if (is_header_done()) return;
    std::string key = ascii_lower({name.data(), name.size()});
    if (which == Field::transfer_encoding && !boost::beast::iequals(value, "chunked")) other_coding = true;
    if (which == Field::expect) (boost::beast::iequals(value, "100-continue") ? expects : expects_other) = true;
    if (which == Field::host) ++hosts;
    if (request->headers.size() == kMostHeaders) error = boost::beast::http::error::header_limit;
    request->headers.emplace_back(std::move(key), std::string(value.data(), value.size()));
  }
  void on_header_impl(ErrorCode&) override {}
  void on_body_init_impl(const boost::optional<uint64_t>& length, ErrorCode&) override {
    // A length is only a claim: no more than this is set aside before the bytes come.
    if (length && !decoder_ && !discard_) request->body.reserve(std::min<uint64_t>(*length, 256 << 10));
  }
  size_t on_body_impl(View data, ErrorCode& error) override { return take(data, error); }
  void on_chunk_header_impl(uint64_t, View, ErrorCode&) override {}
  size_t on_chunk_body_impl(uint64_t, View data, ErrorCode& error) override { return take(data, error); }
  void on_finish_impl(ErrorCode& error) override {
    if (!decoder_ || discard_ || bytes == 0) return;
    guard(error, [&] { decoder_->finish(); });
  }
  void on_response_impl(int, View, int, ErrorCode&) override {}

 private:
  static constexpr size_t kMostHeaders = 200;

  size_t take(View data, ErrorCode& error) {
    bytes += data.size();
    if (discard_) return data.size();
    if (!decoder_)
      request->body.append(data.data(), data.size());
    else
      guard(error, [&] { decoder_->feed({data.data(), data.size()}, request->body); });
    return data.size();
  }
  template <class F>
  void guard(ErrorCode& error, F&& f) {
    try {
      f();
    } catch (const HttpError& e) {
      thrown_ = e;
      error = boost::beast::http::error::bad_value;
    }
  }

  size_t max_header_, max_body_, max_decoded_;
  std::unique_ptr<Decoder> decoder_;
  bool discard_ = false;
  std::optional<HttpError> thrown_;
};

}  // namespace fewshop::http
