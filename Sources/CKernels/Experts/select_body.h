// Exact selection: the best of a row of scores, and the best sums of two rows. Included by
// variant_body.h.

enum { CAPACITY = CAMBIUM_MAX_TOP_K + 1 };

// A score and an id as one integer: the larger it is, the higher the score; of equal scores, the
// lower the id. A NaN counts as +infinity: first, and comparable. -0 counts as 0.
INLINE uint64_t entry_of(float score, uint32_t id) {
    score = score != score ? __builtin_inff() : score + 0.0f;
    uint32_t bits;
    memcpy(&bits, &score, sizeof bits);
    bits ^= bits >> 31 ? 0xffffffff : 0x80000000;
    return (uint64_t)bits << 32 | (uint32_t)~id;
}

INLINE uint32_t id_of(uint64_t entry) { return ~(uint32_t)entry; }

// The part of an entry that tells the score: comparable with that of other entries.
INLINE uint32_t rank_of(uint64_t entry) { return (uint32_t)(entry >> 32); }

INLINE float score_of(uint64_t entry) {
    uint32_t bits = rank_of(entry);
    bits ^= bits >> 31 ? 0x80000000 : 0xffffffff;
    float score;
    memcpy(&score, &bits, sizeof score);
    return score;
}

// A list of at most `limit` entries, best first.
struct best {
    size_t count, limit;
    uint64_t entries[CAPACITY];
};

// Puts an entry in its place, unless the list is full of better ones: then returns 0.
INLINE int consider(struct best *list, uint64_t entry) {
    size_t at = list->count;
    if (at < list->limit) {
        list->count++;
    } else if (entry > list->entries[at - 1]) {
        at--;
    } else {
        return 0;
    }
    for (; at > 0 && list->entries[at - 1] < entry; at--) {
        list->entries[at] = list->entries[at - 1];
    }
    list->entries[at] = entry;
    return 1;
}

// The greatest number of candidates that are ranked against each other.
enum { MOST_RANKED = 64 };

// Of `count` distinct entries the best `limit`, or all when there are fewer, best first: each goes to
// the place that its rank gives, without branches that depend on the scores.
INLINE void ranked(uint64_t *entries, size_t count, size_t limit, struct best *list) {
    size_t padded = (count + 7) / 8 * 8;
    for (size_t i = count; i < padded; i++) entries[i] = 0;
    list->limit = limit;
    list->count = count < limit ? count : limit;
    for (size_t i = 0; i < count; i++) {
        uint64_t above = 0;
        for (size_t j = 0; j < padded; j++) above += entries[j] > entries[i];
        if (above < limit) list->entries[above] = entries[i];
    }
}

// A number that at least `limit` of the scores reach, or NaN when one of them is NaN: the limit-th
// largest of the maxima of 16 * vectors groups, of which each has a score that reaches it.
INLINE float lower_bound_of(const float *scores, size_t count, size_t limit, int vectors) {
    lanes maxima[4];
    int_lanes missing = {0};
    size_t groups = (size_t)vectors * LANES;
    for (int v = 0; v < vectors; v++) maxima[v] = *(const lanes *)(scores + v * LANES);
    size_t i = 0;
    for (; i + groups <= count; i += groups) {
        for (int v = 0; v < vectors; v++) {
            lanes block = *(const lanes *)(scores + i + v * LANES);
            missing |= block != block;
            maxima[v] = larger(block, maxima[v]);
        }
    }
    for (; i < count; i++) missing[0] |= -(scores[i] != scores[i]);
    if (lane_bits(missing)) return __builtin_nanf("");
    float list[64], all_maxima[64];
    memcpy(all_maxima, maxima, groups * sizeof *all_maxima);
    size_t length = 0;
    for (size_t g = 0; g < groups; g++) {
        float score = all_maxima[g];
        if (length == limit && score <= list[length - 1]) continue;
        size_t at = length < limit ? length++ : length - 1;
        for (; at > 0 && list[at - 1] < score; at--) list[at] = list[at - 1];
        list[at] = score;
    }
    return list[limit - 1];
}

INLINE void best_of(const float *scores, size_t count, size_t limit, struct best *list) {
    // Nothing below the bound can be among the best. A NaN, which is, makes the bound NaN.
    float bound = __builtin_nanf("");
    if (count >= 256 && limit <= 32) {
        bound = lower_bound_of(scores, count, limit, 4);
    } else if (count >= 32 && limit <= 12) {
        bound = lower_bound_of(scores, count, limit, 1);
    }
    uint64_t candidates[MOST_RANKED + 8];
    size_t found = 0, i = 0;
    if (bound == bound) {
        for (; i + LANES <= count && found <= MOST_RANKED - LANES; i += LANES) {
            uint32_t bits = lane_bits(*(const lanes *)(scores + i) >= all(bound));
            for (; bits; bits &= bits - 1) {
                size_t at = i + (size_t)__builtin_ctz(bits);
                candidates[found++] = entry_of(scores[at], (uint32_t)at);
            }
        }
    }
    ranked(candidates, found, limit, list);
    // The rest of a row that is no multiple of 16, or of one with many equal scores.
    for (; i < count; i++) consider(list, entry_of(scores[i], (uint32_t)i));
}

static float top(const float *scores, size_t count, size_t top_k, uint32_t *ids, float *picked) {
    struct best list;
    best_of(scores, count, top_k + 1 < count ? top_k + 1 : count, &list);
    for (size_t p = 0; p < top_k; p++) {
        ids[p] = id_of(list.entries[p]);
        picked[p] = scores[ids[p]];
    }
    if (list.count <= top_k) return __builtin_inff();
    return score_of(list.entries[top_k - 1]) - score_of(list.entries[top_k]);
}

// Why the candidates suffice: rounding is monotone, so a pair outside the best limit x limit pairs
// has at least `limit` pairs whose sum is not smaller. Hence it can only tie with the last pick,
// never beat it; the scores of the picks are right in any case, and only which of the tied ids is
// lowest may be open. A tie needs an excluded sub-key with the best of the other side to reach the
// last pick's score; then, and only then, the whole grid is searched.
INLINE int tie_is_open(const struct best *side, size_t count, float other_best, uint32_t rank) {
    if (side->count == count) return 0;
    float sum = score_of(side->entries[side->count - 1]) + other_best;
    return rank_of(entry_of(sum, 0)) >= rank;
}

// All pairs of candidates, whatever ties.
INLINE void every_pair(const struct best *a, const struct best *b, size_t second_count,
                       struct best *picks, size_t limit) {
    picks->count = 0;
    picks->limit = limit;
    for (size_t i = 0; i < a->count; i++) {
        float high = score_of(a->entries[i]);
        uint32_t row = id_of(a->entries[i]) * (uint32_t)second_count;
        for (size_t j = 0; j < b->count; j++) {
            uint64_t entry = entry_of(high + score_of(b->entries[j]), row + id_of(b->entries[j]));
            // Sums fall along j; only an equal one can still come in by its id.
            if (!consider(picks, entry) &&
                rank_of(entry) < rank_of(picks->entries[picks->limit - 1])) {
                break;
            }
        }
    }
}

// The pairs that can be among the best `limit`: pair (i, j) has (i + 1) (j + 1) - 1 others that are
// not below it. Returns 0 when a pair beyond these may tie with the last pick.
INLINE int likely_pairs(const struct best *a, const struct best *b, size_t second_count,
                        struct best *picks, size_t limit) {
    uint64_t candidates[MOST_RANKED + 8];
    size_t found = 0;
    uint32_t beyond = 0;
    for (size_t i = 0; i < a->count && i < limit; i++) {
        float high = score_of(a->entries[i]);
        uint32_t row = id_of(a->entries[i]) * (uint32_t)second_count;
        size_t end = limit / (i + 1);
        if (end < b->count) {
            uint32_t rank = rank_of(entry_of(high + score_of(b->entries[end]), 0));
            beyond = rank > beyond ? rank : beyond;
        } else {
            end = b->count;
        }
        if (found + end > MOST_RANKED) return 0;
        for (size_t j = 0; j < end; j++) {
            candidates[found++] =
                entry_of(high + score_of(b->entries[j]), row + id_of(b->entries[j]));
        }
    }
    if (limit < a->count) return 0;
    ranked(candidates, found, limit, picks);
    return picks->count == limit && beyond < rank_of(picks->entries[limit - 1]);
}

static float product_key_top(const float *first, size_t first_count, const float *second,
                             size_t second_count, size_t top_k, uint32_t *ids, float *scores) {
    // One more than asked for on each side, for the margin.
    size_t wanted = top_k < first_count * second_count ? top_k + 1 : top_k;
    struct best a, b, picks;
    best_of(first, first_count, wanted < first_count ? wanted : first_count, &a);
    best_of(second, second_count, wanted < second_count ? wanted : second_count, &b);
    if (!likely_pairs(&a, &b, second_count, &picks, wanted)) {
        every_pair(&a, &b, second_count, &picks, wanted);
    }
    uint32_t rank = rank_of(picks.entries[top_k - 1]);
    float high = score_of(a.entries[0]), low = score_of(b.entries[0]);
    if (tie_is_open(&a, first_count, low, rank) || tie_is_open(&b, second_count, high, rank)) {
        picks.count = 0;
        for (size_t i = 0; i < first_count; i++) {
            if (rank_of(entry_of(first[i] + low, 0)) < rank) continue;
            for (size_t j = 0; j < second_count; j++) {
                consider(&picks, entry_of(first[i] + second[j], (uint32_t)(i * second_count + j)));
            }
        }
    }
    for (size_t p = 0; p < top_k; p++) {
        uint32_t row = ids[p] = id_of(picks.entries[p]);
        uint32_t high_digit = row / (uint32_t)second_count;
        scores[p] = first[high_digit] + second[row - high_digit * (uint32_t)second_count];
    }
    if (picks.count <= top_k) return __builtin_inff();
    return score_of(picks.entries[top_k - 1]) - score_of(picks.entries[top_k]);
}
