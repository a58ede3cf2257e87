#include "program/machine.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>

#include "program/pool.h"

#if defined(__x86_64__)
#include <cpuid.h>
#endif
#if defined(__aarch64__) && defined(__linux__)
#include <sys/auxv.h>
#endif

namespace gemma4 {

namespace {

#if defined(__x86_64__)
// All that have AVX2 and FMA convert float16, too.
bool runs_avx2() {
  return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && __builtin_cpu_supports("bmi") &&
         __builtin_cpu_supports("bmi2");
}
// Not every compiler knows it by name: bit 4 of EAX in leaf 7.1.
bool runs_avxvnni() {
  unsigned eax = 0, ebx = 0, ecx = 0, edx = 0;
  return runs_avx2() && __get_cpuid_count(7, 1, &eax, &ebx, &ecx, &edx) != 0 && (eax >> 4 & 1) != 0;
}
bool runs_avx512_fp32() {
  return runs_avx2() && __builtin_cpu_supports("avx512vnni") && __builtin_cpu_supports("avx512bw") &&
         __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512cd");
}
bool runs_avx512() { return runs_avx512_fp32() && __builtin_cpu_supports("avx512bf16"); }
#else
bool runs_avx2() { return false; }
bool runs_avxvnni() { return false; }
bool runs_avx512_fp32() { return false; }
bool runs_avx512() { return false; }
#endif

// The dot product came in 2017.
bool runs_neon() {
#if defined(__aarch64__) && defined(__linux__)
  constexpr unsigned long kDotProduct = 1ul << 20;  // HWCAP_ASIMDDP, which older headers do not have
  return (getauxval(AT_HWCAP) & kDotProduct) != 0;
#elif defined(__aarch64__)
  return true;  // every Apple processor has the dot product
#else
  return false;
#endif
}

}  // namespace

std::vector<const Kernels*> supported_kernels() {
  std::vector<const Kernels*> found;
  const auto offer = [&](bool runs, const Kernels* kernels) {
    if (runs && kernels) found.push_back(kernels);
  };
  offer(runs_avx512(), avx512_kernels());
  offer(runs_avx512_fp32(), avx512_fp32_kernels());
  offer(runs_avxvnni(), avxvnni_kernels());
  offer(runs_avx2(), avx2_kernels());
  offer(runs_neon(), neon_kernels());
  offer(true, neon_2011_kernels());  // built for no processor that lacks it
  offer(true, portable_kernels());
  return found;
}

double read_bandwidth(int num_threads) {
  constexpr int64_t kBytes = int64_t{1} << 29;
  std::unique_ptr<uint64_t[]> words(new uint64_t[kBytes / 8]);
  std::fill_n(words.get(), kBytes / 8, 1);
  return read_bandwidth(num_threads, words.get(), kBytes);
}

double read_bandwidth(int num_threads, const void* bytes, int64_t num_bytes) {
  constexpr int64_t kLine = 64, kPiece = int64_t{1} << 20, kRounds = 5;
  const uintptr_t first = (reinterpret_cast<uintptr_t>(bytes) + kLine - 1) / kLine * kLine;
  const uintptr_t last = (reinterpret_cast<uintptr_t>(bytes) + num_bytes) / kLine * kLine;
  if (last <= first) return 0;
  const int64_t size = last - first;
  const auto* words = reinterpret_cast<const uint64_t*>(first);
  Pool pool(num_threads);
  std::atomic<uint64_t> sink{0};
  double best = 0;
  for (int round = 0; round < kRounds; ++round) {
    std::atomic<int64_t> next{0};
    const auto start = std::chrono::steady_clock::now();
    pool.run([&](int) {
      uint64_t sums[8] = {};
      for (int64_t begin; (begin = next.fetch_add(kPiece)) < size;) {
        const int64_t end = std::min(begin + kPiece, size) / 8;
        for (int64_t i = begin / 8; i < end; i += 8) {
          for (int j = 0; j < 8; ++j) sums[j] += words[i + j];
        }
      }
      for (const uint64_t sum : sums) sink += sum;
    });
    const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    best = std::max(best, size / seconds);
  }
  volatile uint64_t used = sink.load();  // so that the reads are not left out
  static_cast<void>(used);
  return best;
}

}  // namespace gemma4
