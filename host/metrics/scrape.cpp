// SPDX-License-Identifier: Apache-2.0
#include "host/metrics/scrape.h"

#include "host/metrics/prometheus.h"

namespace berth::metrics {

HttpResponse Scrape::answer(const HttpRequest& request) {
    if (request.method != "GET")
        return {.status = 405,
                .headers = {{"allow", "GET"}, {"content-type", "text/plain"}},
                .body = "metrics are asked for with GET\n"};
    const std::lock_guard lock(mutex_);
    const auto now = clock_.steady();
    if (!seen_ || now - *seen_ >= metrics_age_max) {
        const auto samples = containers_.samples();
        if (!samples)
            return {.status = 503,
                    .headers = {{"content-type", "text/plain"}},
                    .body = samples.error().message + "\n"};
        text_ = to_prometheus(*samples);
        seen_ = now;
    }
    return {
        .status = 200, .headers = {{"content-type", std::string(prometheus_type)}}, .body = text_};
}

}  // namespace berth::metrics
