// One token's key and value of one head into its page. Included inside a simd namespace.

// Numbers of 8 bits with scale = largest magnitude / 127; returns the scale, infinite or NaN where a number is.
inline float to_bytes(const float* x, int64_t width, int8_t* out) {
  const float scale = largest_magnitude(x, width) / 127.0f;
  const Floats divisor = splat(scale > 0 ? scale : 1.0f);
  for (int64_t i = 0; i < width; i += kLanes) store_signed_bytes(out + i, round_to_ints(div(load(x + i), divisor)));
  return scale;
}

// Keys go to a column of the page [H][32], values to a row of [32][H].
template <class Number>
inline void put(const Number* key, const Number* value, const PageLayer& layer, int64_t place, int64_t slot) {
  const int64_t width = layer.width, start = place * width * kPage;
  Number* column = static_cast<Number*>(layer.keys) + start + slot;
  for (int64_t i = 0; i < width; ++i) column[i * kPage] = key[i];
  std::copy_n(value, width, static_cast<Number*>(layer.values) + start + slot * width);
}

// key and value [H]; scratch holds 2 · H numbers.
inline void write_page(const float* key, const float* value, const PageLayer& layer, int64_t page, int64_t head,
                       int64_t slot, void* scratch) {
  const int64_t width = layer.width, place = page * layer.page_step + layer.row_step + head;
  switch (layer.stored) {
    case Stored::F32: return put(key, value, layer, place, slot);
    case Stored::F16: {
      auto* halves = static_cast<uint16_t*>(scratch);
      for (int64_t i = 0; i < width; i += kLanes) {
        store_half(halves + i, load(key + i));
        store_half(halves + width + i, load(value + i));
      }
      return put(halves, halves + width, layer, place, slot);
    }
    case Stored::BF16: {
      auto* halves = static_cast<uint16_t*>(scratch);
      for (int64_t i = 0; i < width; ++i) {
        halves[i] = static_cast<uint16_t>(rounded_bfloat(key[i]));
        halves[width + i] = static_cast<uint16_t>(rounded_bfloat(value[i]));
      }
      return put(halves, halves + width, layer, place, slot);
    }
    case Stored::I8: {
      auto* bytes = static_cast<int8_t*>(scratch);
      layer.key_scales[place * kPage + slot] = to_bytes(key, width, bytes);
      layer.value_scales[place * kPage + slot] = to_bytes(value, width, bytes + width);
      return put(bytes, bytes + width, layer, place, slot);
    }
  }
}
