#pragma once

#include "http/routes/api.h"
#include "online/keys.h"

namespace fewshop::http {

// Routes of those who run the shop; add_shop_routes (api.h) has those of its clients.
void add_key_routes(Router& router, const Api& api, KeyRing& keys);
void add_people_routes(Router& router, const Api& api);  // forgetting, export
/// `not_ready`: "", or why requests should not be sent here.
void add_operation_routes(Router& router, const Api& api, std::function<std::string()> not_ready);

}  // namespace fewshop::http
