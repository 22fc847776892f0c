#include "runtime/row_model.h"

#include <algorithm>
#include <cmath>

#include "core/error.h"
#include "scenario/names.h"

namespace fewshop {

RowModel::RowModel(Parts parts) : p_(std::move(parts)) {
  require(is_row_problem(p_.scenario.problem), "model: a ", problem_name(p_.scenario.problem),
          " is no problem of rows");
  require(!p_.members.empty() && p_.names.size() == p_.members.size(), "model: no members");
  require(!has_classes(p_.scenario.problem) || p_.scenario.classes.size() >= 2, "model: no classes");
  require(p_.item_counts.size() == p_.item_ids.size(), "model: item_counts has ", p_.item_counts.size(),
          " entries, expected ", p_.item_ids.size());
  if (!p_.learner.empty()) learner_ = member_index(p_.learner);
  const auto members = static_cast<int>(p_.members.size());
  for (const int m : p_.mix.members) require(m >= 0 && m < members, "model: the mix names member ", m);
  require(p_.mix.coefficient.size() == p_.mix.members.size() * Stack::kBasis, "model: mix has the wrong size");
  const Gate& gate = p_.gate;
  require(gate.baseline.size() == gate.sizes.size() && gate.open.size() == gate.sizes.size() * kItemCells &&
              std::is_sorted(gate.sizes.begin(), gate.sizes.end()),
          "model: gate arrays have the wrong size");
  for (const int b : gate.baseline) require(b >= 0 && b < members, "model: the gate names member ", b);
  for (const auto& name : p_.baselines) member_index(name);
  const auto needed = this->needed();
  for (int m = 0; m < members; ++m)
    require(p_.members[m] || !needed[m], "model: '", p_.names[m],
            "' answers only with the library that trains, so this model cannot be served");
  for (size_t i = 0; i < p_.item_ids.size(); ++i) item_index_.emplace(p_.item_ids[i], static_cast<int32_t>(i));
}

int RowModel::member_index(const std::string& name) const {
  for (size_t m = 0; m < p_.names.size(); ++m)
    if (p_.names[m] == name) return static_cast<int>(m);
  throw InvalidInput("model: no member is called " + name);
}

/// [members] 1 = a served answer may need it.
std::vector<uint8_t> RowModel::needed() const {
  std::vector<uint8_t> needed(p_.members.size(), 0);
  for (const int m : p_.mix.members) needed[m] = 1;
  if (p_.mix.empty() && learner_ >= 0) needed[learner_] = 1;
  for (const int b : p_.gate.baseline) needed[b] = 1;
  if (p_.gate.sizes.empty()) needed[p_.best_baseline.empty() ? 0 : member_index(p_.best_baseline)] = 1;
  return needed;
}

int32_t RowModel::find_item(const std::string& id) const {
  const auto found = item_index_.find(id);
  return found == item_index_.end() ? -1 : found->second;
}

std::string RowModel::method_name(int method) const {
  if (method == kServed) return "served";
  if (method == kAdapted) return "adapted";
  return p_.names.at(method - kFirstMember);
}

std::vector<int> RowModel::baseline_methods() const {
  std::vector<int> methods;
  for (const auto& name : p_.baselines)
    if (const int m = member_index(name); p_.members[m]) methods.push_back(kFirstMember + m);
  return methods;
}

std::unique_ptr<RowSession> RowModel::session() const {
  auto session = std::make_unique<RowSession>();
  for (const auto& member : p_.members) session->workspaces.push_back(member ? member->workspace() : nullptr);
  session->adapted.assign(p_.members.size(), 0);
  session->weights.resize(p_.mix.members.size());
  session->each.resize(p_.mix.members.size());
  return session;
}

void RowModel::adapt(const RowTask& task, RowSession& session) const {
  session.task = task;
  session.support = 0;
  for (size_t s = 0; s < task.support.size(); ++s)
    session.support += s == 0 || task.support[s].group != task.support[s - 1].group;
  std::fill(session.adapted.begin(), session.adapted.end(), 0);
  if (!p_.mix.empty()) p_.mix.weights(session.support, session.weights);
}

void RowModel::adapt_served(const RowTask& task, RowSession& session) const {
  adapt(task, session);
  if (!served_adapted(session)) return adapt_member(session, served_baseline(session) - kFirstMember);
  if (p_.mix.empty()) return adapt_member(session, learner_);
  for (const int m : p_.mix.members) adapt_member(session, m);
}

/// Once for each task.
void RowModel::adapt_member(RowSession& session, int member) const {
  require(p_.members[member] != nullptr, "model: '", p_.names[member], "' answers only with the library that trains");
  if (session.adapted[member]) return;
  p_.members[member]->adapt(session.task, *session.workspaces[member]);
  session.adapted[member] = 1;
}

void RowModel::member_predict(RowSession& session, int member, const RowInput& row, Predictive& out) const {
  adapt_member(session, member);
  p_.members[member]->predict(*session.workspaces[member], row, out);
}

bool RowModel::served_adapted(const RowSession& session) const {
  if (p_.mix.empty() && learner_ < 0) return false;
  return p_.gate.adapted(session.support, 0);
}

int RowModel::served_baseline(const RowSession& session) const {
  if (!p_.gate.sizes.empty()) return kFirstMember + p_.gate.baseline[p_.gate.entry(session.support)];
  return kFirstMember + (p_.best_baseline.empty() ? 0 : member_index(p_.best_baseline));
}

std::string RowModel::served_name(const RowSession& session) const {
  return served_adapted(session) ? "adapted" : method_name(served_baseline(session));
}

void RowModel::predict(RowSession& session, int method, const RowInput& row, Predictive& out) const {
  if (method == kServed) method = served_adapted(session) ? kAdapted : served_baseline(session);
  if (method >= kFirstMember) return member_predict(session, method - kFirstMember, row, out);
  if (p_.mix.empty()) {
    require(learner_ >= 0, "model: it has baselines only, nothing adapts");
    return member_predict(session, learner_, row, out);
  }
  for (size_t m = 0; m < p_.mix.members.size(); ++m) member_predict(session, p_.mix.members[m], row, session.each[m]);
  pool(session.each, session.weights, out);
}

double RowModel::explain(RowSession& session, int method, const RowInput& row, int32_t label,
                         std::span<double> contribution) const {
  if (method == kServed) method = served_adapted(session) ? kAdapted : served_baseline(session);
  Predictive whole;
  predict(session, method, row, whole);  // adapts what is needed
  if (method >= kFirstMember || p_.mix.empty()) {
    const int member = method >= kFirstMember ? method - kFirstMember : learner_;
    return p_.members[member]->explain(*session.workspaces[member], row, label, contribution);
  }
  // A pool adds levels, members explain links. What a row adds to a member's link, times the slope of the level in it,
  // is what it adds to the level; what that adds to the pool's link is found alike.
  std::fill(contribution.begin(), contribution.end(), 0.0);
  session.terms.resize(contribution.size());
  double before = 0;
  for (size_t m = 0; m < p_.mix.members.size(); ++m) {
    const int member = p_.mix.members[m];
    const double prior = p_.members[member]->explain(*session.workspaces[member], row, label, session.terms);
    const Family family = session.each[m].family;
    const double after = level(session.each[m], label), start = level_of(family, prior),
                 moved = link(family, after) - prior;
    const double slope = std::abs(moved) > 1e-9 ? (after - start) / moved : 0;
    before += session.weights[m] * (std::abs(moved) > 1e-9 ? start : after);
    for (size_t s = 0; s < contribution.size(); ++s) contribution[s] += session.weights[m] * slope * session.terms[s];
  }
  const double after = level(whole, label), total = link(whole.family, after), moved = after - before;
  const double slope = std::abs(moved) > 1e-12 ? (total - link(whole.family, before)) / moved : 0;
  double added = 0;
  for (double& term : contribution) added += term *= slope;
  return total - added;
}

Problem bundle_problem(const Bundle& bundle, const std::string& folder) {
  const auto scenario = bundle.manifest.find("scenario");
  if (scenario != bundle.manifest.end() && scenario->is_object())
    if (const auto problem = problem_from_name(scenario->value("problem", ""))) return *problem;
  throw InvalidInput(folder + ": the bundle is damaged or of another version: its manifest names no known problem");
}

}  // namespace fewshop
