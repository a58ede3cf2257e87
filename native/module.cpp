// The Python module gemma4.kernels._native: raw pointers in, nothing of torch known here.
#include <nanobind/nanobind.h>
#include <nanobind/stl/map.h>
#include <nanobind/stl/shared_ptr.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/tuple.h>
#include <nanobind/stl/vector.h>

#include <stdexcept>

#include "module.h"
#include "program/machine.h"
#include "steps/candidates.h"
#include "steps/embed.h"
#include "steps/experts.h"
#include "steps/heads.h"
#include "steps/linear.h"
#include "steps/rows.h"

namespace nb = nanobind;
using namespace nb::literals;

namespace gemma4 {
namespace {

const Kernels& kernels_named(const std::string& name) {
  for (const Kernels* kernels : supported_kernels()) {
    if (name.empty() || name == kernels->name) return *kernels;
  }
  throw std::invalid_argument("this processor does not run the kernels '" + name + "'");
}

Matrix matrix(Address data, int64_t rows, int64_t columns, int64_t row_bytes, Format format, Address scales,
              int64_t group) {
  return {at<const uint8_t>(data), rows, columns, row_bytes, format, at<const uint16_t>(scales), group};
}

void check_weight(const Kernels& kernels, const Matrix& weight) {
  const bool whole = weight.columns > 0 && weight.columns % block_columns(weight.format) == 0;
  if (weight.rows < kernels.lanes || !whole) {
    throw std::invalid_argument("a weight of " + std::to_string(weight.rows) + " x " + std::to_string(weight.columns) +
                                " does not fit the kernels: at least " + std::to_string(kernels.lanes) +
                                " rows of whole blocks");
  }
}

void check_table(const Matrix& table) {
  if (table.format == Format::W4A16) throw std::invalid_argument("no rows are looked up in tables of W4A16");
}

void add_linear(Program& program, const std::vector<std::tuple<Matrix, Address, int64_t>>& products, Address x) {
  std::vector<Product> list;
  for (const auto& [weight, y, ldy] : products) {
    check_weight(program.kernels(), weight);
    list.push_back({weight, at<float>(y), ldy});
  }
  program.add(std::make_unique<LinearStep>(program.kernels(), std::move(list), at<const void>(x)));
}

void add_clipped_linear(Program& program,
                        const std::vector<std::tuple<Matrix, Address, int64_t, float, float>>& products, Address x) {
  std::vector<Product> list;
  for (const auto& [weight, y, ldy, low, high] : products) {
    check_weight(program.kernels(), weight);
    list.push_back({weight, at<float>(y), ldy, low, high});
  }
  program.add(std::make_unique<LinearStep>(program.kernels(), std::move(list), at<const void>(x)));
}

void add_attention(Program& program, AttentionLayer layer) {
  program.add(std::make_unique<HeadsStep>(program.kernels(), layer));
  program.add(std::make_unique<AttendStep>(program.kernels(), layer));
}

void bind_values(nb::module_& m) {
  nb::enum_<Format>(m, "Format")
      .value("F32", Format::F32).value("F16", Format::F16).value("BF16", Format::BF16)
      .value("Q4_0", Format::Q4_0).value("Q4_1", Format::Q4_1).value("Q5_0", Format::Q5_0)
      .value("Q5_1", Format::Q5_1).value("Q8_0", Format::Q8_0).value("Q4_K", Format::Q4_K)
      .value("Q5_K", Format::Q5_K).value("Q6_K", Format::Q6_K).value("W4A16", Format::W4A16)
      .value("F16_AS_BF16", Format::F16_AS_BF16);
  nb::enum_<Packing>(m, "Packing")
      .value("BLOCKS", Packing::kBlocks).value("BLOCKS_PAIRED", Packing::kBlocksPaired)
      .value("BLOCKS_EVEN_ODD", Packing::kBlocksEvenOdd)
      .value("BFLOAT_PAIRS", Packing::kBfloatPairs).value("FLOATS", Packing::kFloats);
  nb::enum_<Stored>(m, "Stored")
      .value("F32", Stored::F32).value("F16", Stored::F16).value("BF16", Stored::BF16).value("I8", Stored::I8);
  nb::class_<Matrix>(m, "Matrix")
      .def("__init__", [](Matrix* self, Address data, int64_t rows, int64_t columns, int64_t row_bytes, Format format,
                          Address scales, int64_t group) {
        new (self) Matrix(matrix(data, rows, columns, row_bytes, format, scales, group));
      }, "data"_a, "rows"_a, "columns"_a, "row_bytes"_a, "format"_a, "scales"_a = 0, "group"_a = 32)
      .def_prop_ro("format", [](const Matrix& m) { return m.format; })
      .def("rounding_halves", [](Matrix m) {
        if (m.format == Format::F16) m.format = Format::F16_AS_BF16;
        return m;
      });
  nb::class_<PageLayer>(m, "PageLayer")
      .def("__init__", [](PageLayer* self, Address keys, Address values, Address key_scales, Address value_scales,
                          int64_t page_step, int64_t row_step, int64_t width, Stored stored) {
        new (self) PageLayer{at<void>(keys), at<void>(values), at<float>(key_scales), at<float>(value_scales),
                             page_step, row_step, width, stored};
      }, "keys"_a, "values"_a, "key_scales"_a, "value_scales"_a, "page_step"_a, "row_step"_a, "width"_a, "stored"_a);
  nb::class_<Routing>(m, "Routing").def(nb::init<int64_t, int64_t, int64_t>(), "num_experts"_a, "top_k"_a, "max_tokens"_a);
  m.def("packing_for", &packing_for, "format"_a);
  m.def("packed_bytes", &packed_bytes, "packing"_a, "columns"_a);
}

void bind_pass(nb::module_& m) {
  nb::class_<Pass>(m, "Pass")
      .def("__init__", [](Pass* self, int64_t count, const std::vector<std::tuple<int64_t, int64_t, int64_t>>& runs,
                          Address ids, Address positions, Address rows, Address out, Address span_ends,
                          const std::vector<std::vector<Address>>& tables) {
        new (self) Pass();
        self->count = count;
        for (const auto& [request, first, length] : runs) self->runs.push_back({request, first, length});
        self->ids = at<const int64_t>(ids);
        self->positions = at<const int64_t>(positions);
        self->rows = at<const int64_t>(rows);
        self->out = at<float>(out);
        self->span_ends = at<const int64_t>(span_ends);
        for (const auto& group : tables) {
          self->tables.emplace_back();
          for (const Address table : group) self->tables.back().push_back(at<const int32_t>(table));
        }
      }, "count"_a, "runs"_a, "ids"_a = 0, "positions"_a = 0, "rows"_a = 0, "out"_a = 0, "span_ends"_a = 0,
           "tables"_a = std::vector<std::vector<Address>>());
}

void add_ordered_head(Program& program, OrderedHead head) {
  Matrix cluster = head.table;
  if (head.num_clusters <= 0 || head.top <= 0 || head.top > head.num_clusters || head.table.rows % head.num_clusters) {
    throw std::invalid_argument("a head of " + std::to_string(head.table.rows) + " words cannot look at " +
                                std::to_string(head.top) + " of " + std::to_string(head.num_clusters) + " clusters");
  }
  cluster.rows = head.size();
  check_weight(program.kernels(), cluster);
  program.add(std::make_unique<ChooseClustersStep>(program.kernels(), head));
  program.add(std::make_unique<ScoreClusterStep>(program.kernels(), head));
  program.add(std::make_unique<SpreadScoresStep>(program.kernels(), head));
}

void bind_draft_steps(nb::class_<Program>& program) {
  program.def("ordered_head", [](Program& p, const Matrix& table, Address ordering, int64_t num_clusters, int64_t top,
                                 Address cluster_scores, Address hidden, Address chosen, Address scores) {
    add_ordered_head(p, {table, at<const int64_t>(ordering), num_clusters, top, at<const float>(cluster_scores),
                         at<const float>(hidden), at<int32_t>(chosen), at<float>(scores)});
  }, "table"_a, "ordering"_a, "num_clusters"_a, "top"_a, "cluster_scores"_a, "hidden"_a, "chosen"_a, "scores"_a);
}

void bind_dense_steps(nb::class_<Program>& program) {
  program
      .def("linear", &add_linear, "products"_a, "x"_a)
      .def("clipped_linear", &add_clipped_linear, "products"_a, "x"_a)
      .def("pack", [](Program& p, Address x, int64_t width, int64_t ldx, Packing packing, Address packed) {
        p.add(std::make_unique<PackStep>(p.kernels(), PackStep::Input{at<const float>(x), width, ldx, false, nullptr, 0,
                                         nullptr}, packing, at<void>(packed)));
      }, "x"_a, "width"_a, "ldx"_a, "packing"_a, "packed"_a)
      .def("norm", [](Program& p, Address x, int64_t width, Address weight, float eps, Address normed, Packing packing,
                      Address packed) {
        p.add(std::make_unique<PackStep>(p.kernels(), PackStep::Input{at<const float>(x), width, width, true,
                                         at<const float>(weight), eps, at<float>(normed)}, packing, at<void>(packed)));
      }, "x"_a, "width"_a, "weight"_a, "eps"_a, "normed"_a, "packing"_a, "packed"_a)
      .def("gate", [](Program& p, Address gate, int64_t ld_gate, Address up, int64_t ld_up, int64_t width,
                      Packing packing, Address packed) {
        p.add(std::make_unique<GateStep>(p.kernels(), GateStep::Input{at<const float>(gate), ld_gate,
                                         at<const float>(up), ld_up, width}, packing, at<void>(packed)));
      }, "gate"_a, "ld_gate"_a, "up"_a, "ld_up"_a, "width"_a, "packing"_a, "packed"_a)
      .def("add_norm", [](Program& p, Address x, Address y, Address weight, int64_t width, float eps, float scale) {
        p.add(std::make_unique<AddNormStep>(p.kernels(), AddNormStep::Input{at<float>(x), at<const float>(y),
                                            at<const float>(weight), width, eps, scale}));
      }, "x"_a, "y"_a, "weight"_a, "width"_a, "eps"_a, "scale"_a)
      .def("gather", [](Program& p, Address from, Address to, int64_t width) {
        p.add(std::make_unique<GatherStep>(p.kernels(), at<const float>(from), at<float>(to), width));
      }, "source"_a, "target"_a, "width"_a)
      .def("softcap", [](Program& p, int64_t width, float cap) {
        p.add(std::make_unique<SoftcapStep>(p.kernels(), width, cap));
      }, "width"_a, "cap"_a)
      .def("embed", [](Program& p, const Matrix& table, float factor, Address x, int64_t ldx) {
        check_table(table);
        p.add(std::make_unique<EmbedStep>(p.kernels(), table, factor, at<float>(x), ldx ? ldx : table.columns));
      }, "table"_a, "factor"_a, "x"_a, "ldx"_a = 0)
      .def("per_layer", [](Program& p, const Matrix& table, int64_t first, int64_t count, int64_t width, Address weight,
                           float eps, float factor, Address inputs) {
        check_table(table);
        p.add(std::make_unique<PerLayerStep>(p.kernels(), PerLayerStep::Input{table, first, count, width,
                                             at<const float>(weight), eps, factor, at<float>(inputs)}));
      }, "table"_a, "first"_a, "count"_a, "width"_a, "weight"_a, "eps"_a, "factor"_a, "inputs"_a);
}

void bind_attention_steps(nb::class_<Program>& program) {
  program
      .def("rotation", [](Program& p, Address frequencies, int64_t half, Address cos, Address sin) {
        p.add(std::make_unique<RotationStep>(p.kernels(), at<const float>(frequencies), half, at<float>(cos),
                                             at<float>(sin)));
      }, "frequencies"_a, "half"_a, "cos"_a, "sin"_a)
      .def("attention", [](Program& p, int64_t num_heads, int64_t num_kv_heads, int64_t width, Address query,
                           Address key, Address value, Address query_norm, Address key_norm, bool keys_are_values,
                           bool normalizes_values, float eps, float scale, Address cos, Address sin,
                           const PageLayer& layer, int64_t group, int64_t window, bool sees_spans,
                           Address out) {
        add_attention(p, {num_heads, num_kv_heads, width, at<float>(query), at<float>(key), at<float>(value),
                          at<const float>(query_norm), at<const float>(key_norm), keys_are_values, normalizes_values,
                          eps, scale, at<const float>(cos), at<const float>(sin), layer, group, window, sees_spans,
                          at<float>(out)});
      }, "num_heads"_a, "num_kv_heads"_a, "width"_a, "query"_a, "key"_a, "value"_a, "query_norm"_a, "key_norm"_a,
         "keys_are_values"_a, "normalizes_values"_a, "eps"_a, "scale"_a, "cos"_a, "sin"_a, "layer"_a, "group"_a, "window"_a,
         "sees_spans"_a, "out"_a);
}

void bind_expert_steps(nb::class_<Program>& program) {
  program
      .def("route", [](Program& p, Address logits, Address scales, Routing* routing) {
        p.add(std::make_unique<RouteStep>(p.kernels(), at<const float>(logits), at<const float>(scales), routing));
        p.add(std::make_unique<SortStep>(routing));
      }, "logits"_a, "scales"_a, "routing"_a, nb::keep_alive<1, 4>())
      .def("spread", [](Program& p, const Routing* routing, Address x, int64_t width, Packing packing, Address packed) {
        p.add(std::make_unique<SpreadStep>(p.kernels(), routing, at<const float>(x), width, packing, at<void>(packed)));
      }, "routing"_a, "x"_a, "width"_a, "packing"_a, "packed"_a)
      .def("expert_linear", [](Program& p, const Routing* routing, const Matrix& first, Address x, Address y) {
        check_weight(p.kernels(), first);
        p.add(std::make_unique<ExpertLinearStep>(p.kernels(), routing, first, at<const void>(x), at<float>(y)));
      }, "routing"_a, "first"_a, "x"_a, "y"_a)
      .def("expert_gate", [](Program& p, const Routing* routing, Address y, int64_t width, Packing packing, Address packed) {
        p.add(std::make_unique<SlotGateStep>(p.kernels(), routing, at<const float>(y), width, packing, at<void>(packed)));
      }, "routing"_a, "y"_a, "width"_a, "packing"_a, "packed"_a)
      .def("combine", [](Program& p, const Routing* routing, Address y, int64_t width, Address out) {
        p.add(std::make_unique<CombineStep>(p.kernels(), routing, at<const float>(y), width, at<float>(out)));
      }, "routing"_a, "y"_a, "width"_a, "out"_a);
}

// The machine's faults are errors of the package's own tree.
void translate_faults() {
  nb::object type = nb::module_::import_("gemma4.errors").attr("EnvironmentFault");
  nb::register_exception_translator([](const std::exception_ptr& error, void* type) {
    try {
      std::rethrow_exception(error);
    } catch (const EnvironmentFault& fault) {
      PyErr_SetString(static_cast<PyObject*>(type), fault.what());
    }
  }, type.release().ptr());  // kept as long as the process lives
}

}  // namespace
}  // namespace gemma4

NB_MODULE(_native, m) {
  using namespace gemma4;
  // A model that lives until the process ends is no leak, and says nothing to whoever ran the program.
  nb::set_leak_warnings(false);
  translate_faults();
  bind_values(m);
  bind_pass(m);
  nb::class_<Pool>(m, "Pool").def(nb::init<int>(), "num_threads"_a).def_prop_ro("size", &Pool::size);
  nb::class_<Program> program(m, "Program");
  program
      .def("__init__", [](Program* self, std::shared_ptr<Pool> pool, const std::string& kernels) {
        new (self) Program(std::move(pool), kernels_named(kernels));
      }, "pool"_a, "kernels"_a = "")
      .def_prop_ro("kernels", [](const Program& p) { return std::string(p.kernels().name); })
      .def_prop_ro("lanes", [](const Program& p) { return p.kernels().lanes; })
      .def("__len__", &Program::size)
      .def("run", &Program::run, "pass_"_a, nb::call_guard<nb::gil_scoped_release>())
      .def("take_seconds", &Program::take_seconds, nb::call_guard<nb::gil_scoped_release>());
  bind_dense_steps(program);
  bind_attention_steps(program);
  bind_expert_steps(program);
  bind_draft_steps(program);
  bind_tower_steps(m, program);
  m.def("supported_kernels", [] {
    std::vector<std::string> names;
    for (const Kernels* kernels : supported_kernels()) names.emplace_back(kernels->name);
    return names;
  });
  m.def("read_bandwidth", [](int num_threads, Address address, int64_t num_bytes) {
    return address ? read_bandwidth(num_threads, at<const void>(address), num_bytes) : read_bandwidth(num_threads);
  }, "num_threads"_a, "address"_a = 0, "num_bytes"_a = 0, nb::call_guard<nb::gil_scoped_release>());
}
