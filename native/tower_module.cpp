// The towers' part of the Python module.
#include <nanobind/stl/string.h>

#include <stdexcept>
#include <string>

#include "module.h"
#include "steps/towers.h"

namespace nb = nanobind;
using namespace nb::literals;

namespace gemma4 {

namespace {

void check_width(int64_t width, int64_t unit) {
  if (width < unit || width % unit != 0) {
    throw std::invalid_argument("a width of " + std::to_string(width) + " is no multiple of " + std::to_string(unit));
  }
}

void add_row(Program& p, TowerRow::Source source, Address x, int64_t ldx, Address other, int64_t ld_other,
             int64_t width, float limit, bool normalizes, Address weight, float eps, bool activates, float low,
             float high, Address stored, Packing packing, Address packed) {
  check_width(width, p.kernels().lanes);
  if (source == TowerRow::Source::kConvolution && ldx != width) {
    throw std::invalid_argument("a convolution reads rows that follow each other, not " + std::to_string(width) +
                                " numbers every " + std::to_string(ldx));
  }
  const TowerRow row{source, at<const float>(x), ldx, at<const float>(other), ld_other, width, limit, normalizes,
                     at<const float>(weight), eps, activates, low, high, at<float>(stored)};
  p.add(std::make_unique<TowerRowStep>(p.kernels(), row, packing, at<void>(packed)));
}

void add_patch_attention(Program& p, int64_t num_heads, int64_t num_kv_heads, int64_t width, Address query,
                         int64_t ld_query, Address key, Address value, int64_t ld_key, Address query_norm,
                         Address key_norm, float eps, Address cos, Address sin, Address queries, Address keys,
                         Address values, Address out) {
  check_width(width, 8);
  const PatchHeads heads{num_heads, num_kv_heads, width, at<const float>(query), ld_query, at<const float>(key),
                         at<const float>(value), ld_key, at<const float>(query_norm), at<const float>(key_norm), eps,
                         at<const float>(cos), at<const float>(sin), at<uint32_t>(queries), at<uint32_t>(keys),
                         at<uint32_t>(values), at<float>(out)};
  p.add(std::make_unique<PlaceHeadsStep>(p.kernels(), heads));
  p.add(std::make_unique<AttendPatchesStep>(p.kernels(), heads));
}

void add_local_attention(Program& p, int64_t num_heads, int64_t width, int seen, Address query, Address key,
                         Address value, int64_t ld, Address scales, Address distances, float key_scale, float cap, Address out) {
  check_width(width, p.kernels().lanes);
  if (seen < 1 || seen > kMostSeen) {
    throw std::invalid_argument("local attention sees 1 to " + std::to_string(kMostSeen) + " keys, not " +
                                std::to_string(seen));
  }
  const LocalRow first{at<const float>(query), at<const float>(scales), at<const float>(key), at<const float>(value),
                       ld, at<const float>(distances), num_heads * width, seen, width, key_scale, cap,
                       at<float>(out)};
  p.add(std::make_unique<AttendLocalStep>(p.kernels(), first, num_heads));
}

}  // namespace

void bind_tower_steps(nb::module_& m, nb::class_<Program>& program) {
  nb::enum_<TowerRow::Source>(m, "Source")
      .value("COPY", TowerRow::Source::kCopy).value("GELU", TowerRow::Source::kGelu)
      .value("SIGMOID", TowerRow::Source::kSigmoid).value("CONVOLUTION", TowerRow::Source::kConvolution);
  program
      .def("row", &add_row, "source"_a, "x"_a, "ldx"_a, "other"_a, "ld_other"_a, "width"_a, "limit"_a, "normalizes"_a,
           "weight"_a, "eps"_a, "activates"_a, "low"_a, "high"_a, "stored"_a, "packing"_a, "packed"_a)
      .def("add", [](Program& p, Address x, Address y, int64_t ldy, int64_t width, Address weight, float eps) {
        check_width(width, p.kernels().lanes);
        p.add(std::make_unique<AddStep>(p.kernels(), AddStep::Input{at<float>(x), at<const float>(y), ldy, width,
                                                                    at<const float>(weight), eps}));
      }, "x"_a, "y"_a, "ldy"_a, "width"_a, "weight"_a, "eps"_a)
      .def("patch_attention", &add_patch_attention, "num_heads"_a, "num_kv_heads"_a, "width"_a, "query"_a,
           "ld_query"_a, "key"_a, "value"_a, "ld_key"_a, "query_norm"_a, "key_norm"_a, "eps"_a, "cos"_a, "sin"_a,
           "queries"_a, "keys"_a, "values"_a, "out"_a)
      .def("local_attention", &add_local_attention, "num_heads"_a, "width"_a, "seen"_a, "query"_a, "key"_a, "value"_a,
           "ld"_a, "scales"_a, "distances"_a, "key_scale"_a, "cap"_a, "out"_a);
}

}  // namespace gemma4
