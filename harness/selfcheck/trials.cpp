#include "harness/selfcheck/trials.h"

#include <algorithm>
#include <set>

#include "harness/plan/plan.h"

namespace hilmark::selfcheck {
namespace {

const suites::Case* find_case(const std::vector<suites::Case>& catalogue, const std::string& id) {
  const auto found = std::find_if(catalogue.begin(), catalogue.end(), [&](const auto& each) { return each.id == id; });
  return found == catalogue.end() ? nullptr : &*found;
}

bool lists(const suites::Case& test_case, const std::string& defect) {
  return std::find(test_case.defects.begin(), test_case.defects.end(), defect) != test_case.defects.end();
}

class Dealer {
 public:
  Dealer(const Bench& bench, const std::vector<suites::Case>& catalogue, bool quick)
      : bench_(bench), catalogue_(catalogue), quick_(quick) {}

  Result<void> check(const SeededDefect& defect) const {
    const bool listed =
        std::any_of(catalogue_.begin(), catalogue_.end(), [&](const auto& each) { return lists(each, defect.name); });
    if (!listed) return fail(ErrorKind::usage, "no case of the catalogue lists the defect {}", defect.name);
    for (const auto& [id, why] : defect.also) {
      if (find_case(catalogue_, id) == nullptr)
        return fail(ErrorKind::usage, "defect {}: `also` names {}, which is no case of the catalogue", defect.name, id);
    }
    return {};
  }

  Result<Deal> deal(const std::vector<SeededDefect>& defects) {
    Deal result;
    Batch golden;
    std::set<std::string> boards;
    for (const BenchUnit& unit : bench_.units) {
      if (quick_ && !unit.firmware.empty() && !boards.insert(unit.board).second) continue;
      golden.push_back({.unit = unit.id, .of = unit.id});
    }
    result.batches.push_back(std::move(golden));
    for (const SeededDefect& defect : defects) {
      if (auto checked = check(defect); !checked) return fail(checked.error());
      const auto tried = defect.unit.empty() ? deal_image(defect) : deal_program(defect);
      if (!tried) return fail(tried.error());
      if (!*tried) result.not_tried.push_back(defect.name);
    }
    result.batches.insert(result.batches.end(), std::make_move_iterator(batches_.begin()),
                          std::make_move_iterator(batches_.end()));
    return result;
  }

 private:
  /// Whether a case that lists the defect can run on the unit.
  [[nodiscard]] bool can_show(const BenchUnit& unit, const SeededDefect& defect) const {
    return std::any_of(catalogue_.begin(), catalogue_.end(),
                       [&](const auto& each) { return lists(each, defect.name) && !reason_to_skip(each, unit); });
  }

  /// What lists the defect, and all that it rests on.
  [[nodiscard]] std::vector<std::string> needed(const std::string& defect) const {
    std::vector<std::string> ids;
    for (const suites::Case& each : catalogue_) {
      if (lists(each, defect)) ids.push_back(each.id);
    }
    for (std::size_t next = 0; next < ids.size(); ++next) {
      const suites::Case* each = find_case(catalogue_, ids[next]);
      if (each == nullptr) continue;
      for (const std::string& below : each->depends_on) {
        if (std::find(ids.begin(), ids.end(), below) == ids.end()) ids.push_back(below);
      }
    }
    return ids;
  }

  /// Into the first batch in which the unit is free.
  void place(Trial trial) {
    if (quick_) trial.cases = needed(trial.defect);
    const auto is_free = [&](const Batch& batch) {
      return std::none_of(batch.begin(), batch.end(), [&](const Trial& each) { return each.unit == trial.unit; });
    };
    auto batch = std::find_if(batches_.begin(), batches_.end(), is_free);
    if (batch == batches_.end()) batch = batches_.insert(batches_.end(), Batch());
    ++load_[trial.unit];
    batch->push_back(std::move(trial));
  }

  Result<bool> deal_image(const SeededDefect& defect) {
    std::map<std::string, const BenchUnit*> chosen;  // by chip: the unit that has had the least
    for (const BenchUnit& unit : bench_.units) {
      if (unit.firmware.empty() || !can_show(unit, defect)) continue;
      const BenchUnit*& best = chosen[quick_ ? std::string() : unit.chip];
      if (best == nullptr || load_[unit.id] < load_[best->id]) best = &unit;
    }
    for (const auto& [chip, unit] : chosen) {
      const auto image = std::filesystem::path(unit->firmware).replace_filename(defect.name + ".img");
      std::error_code ignored;
      if (!std::filesystem::exists(image, ignored)) {
        return fail(ErrorKind::usage, "no image {} with the defect {} beside the golden one of unit {}; build it first",
                    image.string(), defect.name, unit->id);
      }
      place({.unit = unit->id, .of = unit->id, .defect = defect.name, .firmware = image.string()});
    }
    return !chosen.empty();
  }

  Result<bool> deal_program(const SeededDefect& defect) {
    const auto unit = std::find_if(bench_.units.begin(), bench_.units.end(),
                                   [&](const BenchUnit& each) { return each.id == defect.unit; });
    if (unit == bench_.units.end() || !can_show(*unit, defect)) return false;
    place({.unit = defect.name, .of = unit->id, .defect = defect.name});
    return true;
  }

  const Bench& bench_;
  const std::vector<suites::Case>& catalogue_;
  const bool quick_;
  std::vector<Batch> batches_;
  std::map<std::string, int> load_;  // trials of a unit
};

}  // namespace

Result<Deal> deal(const Bench& bench, const std::vector<SeededDefect>& defects,
                  const std::vector<suites::Case>& catalogue, bool quick) {
  return Dealer(bench, catalogue, quick).deal(defects);
}

}  // namespace hilmark::selfcheck
