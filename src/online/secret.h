#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace fewshop {

/// What keys and the ledger of forgotten people need of cryptography (OpenSSL's). Texts are bytes. Each throws Failure
/// where the library cannot.

/// From the system's generator for secrets.
std::string random_bytes(size_t size);
/// 32 bytes.
std::string sha256(std::string_view text);
/// 32 bytes: HMAC-SHA-256, RFC 2104.
std::string keyed_hash(std::string_view key, std::string_view text);
/// In a time that does not depend on where they differ.
bool equal_secrets(std::string_view a, std::string_view b);

std::string hex_of(std::string_view bytes);
/// RFC 4648 section 5, without padding.
std::string base64url_of(std::string_view bytes);

}  // namespace fewshop
