#include "program/program.h"

#include <algorithm>
#include <chrono>

namespace gemma4 {

namespace {
constexpr int64_t kAlignment = 64;
constexpr int64_t kFetchedWaiting = 256 * 1024;  // bytes: what a core's second cache level has room for
}

void Program::add(std::unique_ptr<Step> step) {
  scratch_bytes_ = std::max(scratch_bytes_, step->scratch_bytes());
  if (step->reads_weights()) {
    if (last_weights_) last_weights_->set_successor(step.get());
    last_weights_ = step.get();
    for (auto it = next_weights_.rbegin(); it != next_weights_.rend() && !*it; ++it) *it = step.get();
  }
  next_weights_.push_back(nullptr);
  steps_.push_back(std::move(step));
  seconds_.push_back(0.0);
}

// Here and not in the threads, where running out of memory would end the process. Left untouched: a thread brings its
// own into memory, near its core.
void Program::make_room() {
  if (held_bytes_ == scratch_bytes_) return;
  scratch_.clear();
  held_bytes_ = -1;
  for (int i = 0; i < pool_->size(); ++i) scratch_.emplace_back(new char[scratch_bytes_ + kAlignment]);
  held_bytes_ = scratch_bytes_;
}

void Program::run(const Pass& pass) {
  pool_->check_process();
  std::lock_guard<std::mutex> one_at_a_time(running_);
  make_room();
  const int num_threads = pool_->size();
  next_.store(num_threads);
  pool_->run([&](int number) {
    const auto start = reinterpret_cast<uintptr_t>(scratch_[number].get());
    Thread thread{number, reinterpret_cast<void*>((start + kAlignment - 1) / kAlignment * kAlignment)};
    const Step* fetched_for = nullptr;  // the weights that this thread fetches while it waits for others
    Bytes fetching{nullptr, nullptr};
    auto before = std::chrono::steady_clock::now();
    for (size_t i = 0; i < steps_.size(); ++i) {
      const Step& step = *steps_[i];
      const int64_t tasks = step.num_tasks(pass, num_threads);
      if (tasks == 0) continue;
      const Split split = step.split(tasks, num_threads);
      for (int64_t piece = number; split.has(piece);) {
        const int64_t next = next_.fetch_add(1, std::memory_order_relaxed);
        const Claim claim{split.begin(piece), split.begin(piece + 1), split.has(next) ? split.begin(next) : -1};
        step.run(pass, num_threads, claim, thread);
        piece = next;
      }
      const Step* coming = next_weights_[i];
      if (coming && coming != fetched_for) {
        fetched_for = coming;
        fetching = coming->first_weights(number, num_threads);
        fetching.end = fetching.begin + std::min<int64_t>(fetching.end - fetching.begin, kFetchedWaiting);
      }
      const auto fetch = [&] {
        for (int line = 0; line < 4 && fetching.begin < fetching.end; ++line, fetching.begin += 64) {
          __builtin_prefetch(fetching.begin, 0, 2);
        }
      };
      pool_->meet([&] { next_.store(num_threads, std::memory_order_relaxed); }, fetch);
      if (number == 0) {
        const auto now = std::chrono::steady_clock::now();
        seconds_[i] += std::chrono::duration<double>(now - before).count();
        before = now;
      }
    }
  });
}

std::map<std::string, double> Program::take_seconds() {
  pool_->check_process();
  std::lock_guard<std::mutex> not_running(running_);
  std::map<std::string, double> totals;
  for (size_t i = 0; i < steps_.size(); ++i) totals[steps_[i]->name()] += seconds_[i];
  std::fill(seconds_.begin(), seconds_.end(), 0.0);
  return totals;
}

}  // namespace gemma4
