#include <chrono>
#include <thread>

#include "check/checks.h"
#include "program/program.h"

namespace gemma4::check {

namespace {

// to[i] = from[some other i] + 1, and how often task i was done. Nothing here is atomic: what the threads do not agree
// on shows in the numbers, and a checker of threads sees it.
class AddOneStep final : public Step {
 public:
  AddOneStep(const std::vector<int64_t>& from, std::vector<int64_t>& to, std::vector<int64_t>& times)
      : from_(from), to_(to), times_(times) {}
  const char* name() const override { return "add one"; }
  int64_t scratch_bytes() const override { return 8; }
  int64_t num_tasks(const Pass& pass, int) const override { return pass.count; }
  void run(const Pass& pass, int, Claim claim, Thread& thread) const override {
    auto* own = static_cast<int64_t*>(thread.scratch);
    for (int64_t i = claim.begin; i < claim.end; ++i) {
      *own = from_[static_cast<size_t>((i * 7 + 3) % pass.count)];
      to_[static_cast<size_t>(i)] = *own + 1;
      ++times_[static_cast<size_t>(i)];
    }
  }

 private:
  const std::vector<int64_t>& from_;
  std::vector<int64_t>& to_;
  std::vector<int64_t>& times_;
};

// A step with nothing to do, which nobody may wait for.
class EmptyStep final : public Step {
 public:
  const char* name() const override { return "empty"; }
  int64_t num_tasks(const Pass&, int) const override { return 0; }
  void run(const Pass&, int, Claim, Thread&) const override {}
};

constexpr int kSteps = 6, kPasses = 40;
constexpr int64_t kMostTasks = 500;

// Passes of one program, each beginning with what the last one left: is all as it must be?
bool passes_are_right(const std::shared_ptr<Pool>& pool) {
  std::vector<std::vector<int64_t>> numbers(kSteps + 1, std::vector<int64_t>(kMostTasks));
  std::vector<int64_t> times(kMostTasks), expected(kMostTasks);
  Program program(pool, *portable_kernels());
  for (size_t s = 0; s < kSteps; ++s) {
    program.add(std::make_unique<AddOneStep>(numbers[s], numbers[s + 1], times));
    program.add(std::make_unique<EmptyStep>());
  }
  bool right = true;
  for (int i = 0; i < kPasses; ++i) {
    constexpr int64_t kCounts[] = {1, 2, 3, 5, 17, 100, kMostTasks, 0};
    Pass pass;
    pass.count = kCounts[i % 8];
    std::fill(numbers[0].begin(), numbers[0].end(), i);
    if (i % 10 == 9) std::this_thread::sleep_for(std::chrono::milliseconds(5));  // the threads fall asleep
    program.run(pass);
    for (size_t t = 0; t < static_cast<size_t>(pass.count); ++t) {
      expected[t] += kSteps;
      right = right && numbers[kSteps][t] == i + kSteps;
    }
  }
  return right && times == expected;
}

}  // namespace

void check_program(Report& report) {
  for (const int num_threads : {1, 2, 3, 7}) {
    const auto pool = std::make_shared<Pool>(num_threads);
    bool right[2];
    std::thread other([&] { right[1] = passes_are_right(pool); });
    right[0] = passes_are_right(pool);
    other.join();
    report.line(right[0] && right[1], "a program on %d threads, two callers: every task %s", num_threads,
                right[0] && right[1] ? "once, after the step before" : "NOT once, or too early");
  }
}

}  // namespace gemma4::check
