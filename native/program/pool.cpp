#include "program/pool.h"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace gemma4 {

namespace {
constexpr int kSpinsBeforeYield = 4000;
constexpr int kSpinsBeforeSleep = 20000;  // about half a millisecond: longer than the gap between two passes
}  // namespace

void Pool::pause(int spins) {
  if (spins > kSpinsBeforeYield) {
    std::this_thread::yield();  // there may be fewer free cores than threads
    return;
  }
#if defined(__x86_64__)
  _mm_pause();
#elif defined(__aarch64__)
  __asm__ volatile("yield");
#endif
}

Pool::Pool(int num_threads) {
  try {
    for (int i = 1; i < num_threads; ++i) workers_.emplace_back([this, i] { work(i); });
  } catch (...) {  // the system has no more threads: those that began must end before they are forgotten
    end();
    throw;
  }
}

Pool::~Pool() { end(); }

void Pool::end() {
  {
    std::lock_guard<std::mutex> lock(mutex_);
    stop_.store(true);
    number_.fetch_add(1, std::memory_order_release);
  }
  wake_.notify_all();
  for (auto& worker : workers_) worker.join();
}

void Pool::run(const std::function<void(int)>& job) {
  std::lock_guard<std::mutex> one_at_a_time(caller_);
  job_ = &job;
  running_.store(static_cast<int>(workers_.size()), std::memory_order_relaxed);
  {
    std::lock_guard<std::mutex> lock(mutex_);
    number_.fetch_add(1, std::memory_order_release);
  }
  wake_.notify_all();
  job(0);
  for (int spins = 0; running_.load(std::memory_order_acquire) != 0; ++spins) pause(spins);
}

void Pool::work(int thread) {
  uint32_t seen = 0;
  for (;;) {
    int spins = 0;
    while (number_.load(std::memory_order_acquire) == seen && spins < kSpinsBeforeSleep) pause(spins++);
    if (number_.load(std::memory_order_acquire) == seen) {
      std::unique_lock<std::mutex> lock(mutex_);
      wake_.wait(lock, [&] { return number_.load(std::memory_order_acquire) != seen; });
    }
    seen = number_.load(std::memory_order_acquire);
    if (stop_.load()) return;
    (*job_)(thread);
    running_.fetch_sub(1, std::memory_order_acq_rel);
  }
}

}  // namespace gemma4
