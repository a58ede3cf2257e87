// Numbers that look random and are the same in every run and on every machine.
#pragma once

#include <cstdint>

namespace gemma4::check {

class Random {
 public:
  explicit Random(uint64_t seed) : state_(seed) {}

  // SplitMix64, after Steele, Lea and Flood, 2014.
  uint64_t bits() {
    uint64_t z = state_ += 0x9E3779B97F4A7C15;
    z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9;
    z = (z ^ z >> 27) * 0x94D049BB133111EB;
    return z ^ z >> 31;
  }
  // In [low, high).
  float between(float low, float high) {
    return low + (high - low) * static_cast<float>(bits() >> 40) * 0x1p-24f;
  }
  int below(int limit) { return static_cast<int>(bits() % static_cast<uint64_t>(limit)); }

 private:
  uint64_t state_;
};

}  // namespace gemma4::check
