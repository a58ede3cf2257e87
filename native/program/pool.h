// Threads that wait for work side by side: they spin a little, then sleep.
#pragma once

#include <sys/types.h>

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <stdexcept>
#include <thread>
#include <vector>

namespace gemma4 {

// The machine's fault, with what to do about it. Python gets it as gemma4.errors.EnvironmentFault.
class EnvironmentFault : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

class Pool {
 public:
  // Throws EnvironmentFault where the system does not start so many threads.
  explicit Pool(int num_threads);
  ~Pool();
  Pool(const Pool&) = delete;
  Pool& operator=(const Pool&) = delete;

  int size() const { return static_cast<int>(threads_->workers.size()) + 1; }

  // Throws EnvironmentFault in a process that was forked from the pool's own: the threads stayed behind, and locks
  // may be held for ever by one that is not there. To be called before any lock is taken.
  void check_process() const;

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
    for (int64_t spins = 0; phase_.load(std::memory_order_acquire) == phase; ++spins) {
      idle();
      pause(spins);
    }
  }

 private:
  // What a forked process may not destroy: it would wait for threads that it does not have.
  struct Threads {
    std::mutex mutex;
    std::condition_variable wake;
    std::vector<std::thread> workers;
  };

  void work(int thread);
  void end();
  bool is_forked() const;
  static void pause(int64_t spins);

  std::unique_ptr<Threads> threads_ = std::make_unique<Threads>();
  pid_t process_;
  std::mutex caller_;
  const std::function<void(int)>* job_ = nullptr;
  std::atomic<uint32_t> number_{0};  // of the job; workers start when it changes
  std::atomic<bool> stop_{false};
  std::atomic<int> running_{0};
  std::atomic<int> here_{0};
  std::atomic<uint32_t> phase_{0};
};

}  // namespace gemma4
