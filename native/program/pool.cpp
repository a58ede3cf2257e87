#include "program/pool.h"

#include <unistd.h>

#include <string>
#include <system_error>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace gemma4 {

namespace {
constexpr int64_t kSpinsBeforeYield = 4000;
constexpr int64_t kSpinsBeforeSleep = 20000;  // about half a millisecond: longer than the gap between two passes
}  // namespace

void Pool::pause(int64_t spins) {
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

Pool::Pool(int num_threads) : process_(getpid()) {
  try {  // where one does not begin, those that did must end before they are forgotten
    for (int i = 1; i < num_threads; ++i) threads_->workers.emplace_back([this, i] { work(i); });
  } catch (const std::system_error& error) {
    const int started = size();
    end();
    throw EnvironmentFault(std::to_string(num_threads) + " threads were to compute and the system has only " +
                           std::to_string(started) + " for them (" + error.what() +
                           "); ask for fewer threads, or raise the limit of processes or of memory");
  } catch (...) {
    end();
    throw;
  }
}

Pool::~Pool() {
  if (is_forked()) static_cast<void>(threads_.release());
  else end();
}

void Pool::end() {
  {
    std::lock_guard<std::mutex> lock(threads_->mutex);
    stop_.store(true);
    number_.fetch_add(1, std::memory_order_release);
  }
  threads_->wake.notify_all();
  for (auto& worker : threads_->workers) worker.join();
}

bool Pool::is_forked() const { return getpid() != process_; }

void Pool::check_process() const {
  if (!is_forked()) return;
  throw EnvironmentFault("the threads of the native kernels belong to process " + std::to_string(process_) +
                         ", which process " + std::to_string(getpid()) +
                         " was forked from; load the model in the process that uses it, or start that process by "
                         "spawn and not by fork");
}

void Pool::run(const std::function<void(int)>& job) {
  check_process();
  std::lock_guard<std::mutex> one_at_a_time(caller_);
  job_ = &job;
  running_.store(static_cast<int>(threads_->workers.size()), std::memory_order_relaxed);
  {
    std::lock_guard<std::mutex> lock(threads_->mutex);
    number_.fetch_add(1, std::memory_order_release);
  }
  threads_->wake.notify_all();
  job(0);
  for (int64_t spins = 0; running_.load(std::memory_order_acquire) != 0; ++spins) pause(spins);
}

void Pool::work(int thread) {
  uint32_t seen = 0;
  for (;;) {
    int64_t spins = 0;
    while (number_.load(std::memory_order_acquire) == seen && spins < kSpinsBeforeSleep) pause(spins++);
    if (number_.load(std::memory_order_acquire) == seen) {
      std::unique_lock<std::mutex> lock(threads_->mutex);
      threads_->wake.wait(lock, [&] { return number_.load(std::memory_order_acquire) != seen; });
    }
    seen = number_.load(std::memory_order_acquire);
    if (stop_.load()) return;
    (*job_)(thread);
    running_.fetch_sub(1, std::memory_order_acq_rel);
  }
}

}  // namespace gemma4
