#pragma once

#include "http/routes/api.h"
#include "online/keys.h"

namespace fewshop::http {

// Routes of those who run the shop; add_shop_routes (api.h) has those of its clients.
void add_key_routes(Router& router, const Api& api, KeyRing& keys);

}  // namespace fewshop::http
