// Threads that wait for work side by side: they spin a little, then sleep.
#pragma once

#include <atomic>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

namespace gemma4 {

class Pool {
 public:
  explicit Pool(int num_threads);
  ~Pool();
  Pool(const Pool&) = delete;
  Pool& operator=(const Pool&) = delete;

  int size() const { return static_cast<int>(workers_.size()) + 1; }

  // Calls job(0 … size − 1), 0 on the caller's thread; returns when all have. One caller at a time, others wait. A job
  // must not throw: the others would go on in what its caller has left.
  void run(const std::function<void(int)>& job);

  // Waits until all threads of the running job are here, calling `idle` meanwhile; the last to come calls `last`
  // before any goes on.
  template <class Last, class Idle>
  void meet(Last&& last, Idle&& idle) {
    const uint32_t phase = phase_.load(std::memory_order_acquire);
    if (here_.fetch_add(1, std::memory_order_acq_rel) + 1 == size()) {
      last();
      here_.store(0, std::memory_order_relaxed);
      phase_.store(phase + 1, std::memory_order_release);
      return;
    }
    for (int spins = 0; phase_.load(std::memory_order_acquire) == phase; ++spins) {
      idle();
      pause(spins);
    }
  }

 private:
  void work(int thread);
  void end();
  static void pause(int spins);

  std::vector<std::thread> workers_;
  std::mutex caller_;
  std::mutex mutex_;
  std::condition_variable wake_;
  const std::function<void(int)>* job_ = nullptr;
  std::atomic<uint32_t> number_{0};  // of the job; workers start when it changes
  std::atomic<bool> stop_{false};
  std::atomic<int> running_{0};
  std::atomic<int> here_{0};
  std::atomic<uint32_t> phase_{0};
};

}  // namespace gemma4
