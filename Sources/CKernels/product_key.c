// Exact selection of the best sums of two sub-key scores.

#include "include/cambium_kernels.h"

#include <string.h>

enum { CAPACITY = CAMBIUM_MAX_TOP_K + 1 };

// A score and an id as one integer: the larger it is, the higher the score; of equal scores, the
// lower the id. A NaN counts as +infinity: first, and comparable. -0 counts as 0.
static inline uint64_t entry_of(float score, uint32_t id) {
    score = score != score ? __builtin_inff() : score + 0.0f;
    uint32_t bits;
    memcpy(&bits, &score, sizeof bits);
    bits ^= bits >> 31 ? 0xffffffff : 0x80000000;
    return (uint64_t)bits << 32 | (uint32_t)~id;
}

static inline uint32_t id_of(uint64_t entry) { return ~(uint32_t)entry; }

// The part of an entry that tells the score: comparable with that of other entries.
static inline uint32_t rank_of(uint64_t entry) { return (uint32_t)(entry >> 32); }

static inline float score_of(uint64_t entry) {
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
static inline int consider(struct best *list, uint64_t entry) {
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

static void best_of(const float *scores, size_t count, size_t limit, struct best *list) {
    list->count = 0;
    list->limit = limit;
    for (size_t i = 0; i < count; i++) consider(list, entry_of(scores[i], (uint32_t)i));
}

// Why the candidates suffice: rounding is monotone, so a pair outside the best limit x limit pairs
// has at least `limit` pairs whose sum is not smaller. Hence it can only tie with the last pick,
// never beat it; the scores of the picks are right in any case, and only which of the tied ids is
// lowest may be open. A tie needs an excluded sub-key with the best of the other side to reach the
// last pick's score; then, and only then, the whole grid is searched.
static int tie_is_open(const struct best *side, size_t count, float other_best, uint32_t rank) {
    if (side->count == count) return 0;
    float sum = score_of(side->entries[side->count - 1]) + other_best;
    return rank_of(entry_of(sum, 0)) >= rank;
}

float cambium_product_key_top(const float *first, const float *second, size_t count, size_t top_k,
                              uint32_t *ids, float *scores) {
    // One more than asked for on each side, for the margin.
    size_t side_limit = top_k + 1 < count ? top_k + 1 : count;
    struct best a, b, picks;
    best_of(first, count, side_limit, &a);
    best_of(second, count, side_limit, &b);
    picks.count = 0;
    picks.limit = top_k == count * count ? top_k : top_k + 1;
    for (size_t i = 0; i < a.count; i++) {
        float high = score_of(a.entries[i]);
        uint32_t row = id_of(a.entries[i]) * (uint32_t)count;
        for (size_t j = 0; j < b.count; j++) {
            uint64_t entry = entry_of(high + score_of(b.entries[j]), row + id_of(b.entries[j]));
            // Sums fall along j; only an equal one can still come in by its id.
            if (!consider(&picks, entry) &&
                rank_of(entry) < rank_of(picks.entries[picks.limit - 1])) {
                break;
            }
        }
    }
    uint32_t rank = rank_of(picks.entries[top_k - 1]);
    float high = score_of(a.entries[0]), low = score_of(b.entries[0]);
    if (tie_is_open(&a, count, low, rank) || tie_is_open(&b, count, high, rank)) {
        picks.count = 0;
        for (size_t i = 0; i < count; i++) {
            if (rank_of(entry_of(first[i] + low, 0)) < rank) continue;
            for (size_t j = 0; j < count; j++) {
                consider(&picks, entry_of(first[i] + second[j], (uint32_t)(i * count + j)));
            }
        }
    }
    for (size_t p = 0; p < top_k; p++) {
        ids[p] = id_of(picks.entries[p]);
        scores[p] = first[ids[p] / count] + second[ids[p] % count];
    }
    if (picks.count <= top_k) return __builtin_inff();
    return score_of(picks.entries[top_k - 1]) - score_of(picks.entries[top_k]);
}
