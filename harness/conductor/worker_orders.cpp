#include "harness/conductor/worker_orders.h"

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <boost/json/value_from.hpp>
#include <boost/json/value_to.hpp>

namespace hilmark {

std::string orders_line(const WorkerOrders& orders) {
  return boost::json::serialize(boost::json::value_from(orders)) + "\n";
}

Result<WorkerOrders> orders_from(const std::string& line) {
  boost::json::error_code error;
  const boost::json::value json = boost::json::parse(line, error);
  if (error) return fail(ErrorKind::usage, "a worker is started by `hilmark run`, not by hand ({})", error.message());
  auto orders = boost::json::try_value_to<WorkerOrders>(json);
  if (!orders)
    return fail(ErrorKind::usage, "a worker is started by `hilmark run`, not by hand ({})", orders.error().message());
  return std::move(*orders);
}

}  // namespace hilmark
