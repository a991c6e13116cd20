/// What fields of a config.json are when they are left out, as the configuration classes of the transformers
/// library (5.24) have them: they differ from one architecture to another.
enum ArchitectureDefaults {
    static let fields: [String: [String: ConfigValue]] = [
        "olmoe": [
            "vocab_size": 50304, "hidden_size": 2048, "intermediate_size": 2048,
            "num_hidden_layers": 16, "num_attention_heads": 16, "num_key_value_heads": .null,
            "hidden_act": "silu", "max_position_embeddings": 4096, "rms_norm_eps": 1e-5,
            "eos_token_id": 50279, "tie_word_embeddings": false, "attention_bias": false,
            "clip_qkv": .null, "num_experts_per_tok": 8, "num_experts": 64, "norm_topk_prob": false,
            "rope_theta": 10_000,
        ],
        "mixtral": [
            "vocab_size": 32000, "hidden_size": 4096, "intermediate_size": 14336,
            "num_hidden_layers": 32, "num_attention_heads": 32, "num_key_value_heads": 8,
            "head_dim": .null, "hidden_act": "silu", "max_position_embeddings": 131_072,
            "rms_norm_eps": 1e-5, "eos_token_id": 2, "tie_word_embeddings": false,
            "sliding_window": .null, "num_experts_per_tok": 2, "num_local_experts": 8,
            "rope_theta": 1_000_000,
        ],
        "qwen3_moe": [
            "vocab_size": 151_936, "hidden_size": 2048, "intermediate_size": 6144,
            "num_hidden_layers": 24, "num_attention_heads": 32, "num_key_value_heads": 4,
            "hidden_act": "silu", "max_position_embeddings": 32768, "rms_norm_eps": 1e-6,
            "eos_token_id": .null, "tie_word_embeddings": false, "attention_bias": false,
            "use_sliding_window": false, "sliding_window": 4096, "decoder_sparse_step": 1,
            "moe_intermediate_size": 768, "num_experts_per_tok": 8, "num_experts": 128,
            "norm_topk_prob": false, "mlp_only_layers": .null, "rope_theta": 10_000,
        ],
        "deepseek_v3": [
            "vocab_size": 129_280, "hidden_size": 7168, "intermediate_size": 18432,
            "moe_intermediate_size": 2048, "num_hidden_layers": 61, "num_attention_heads": 128,
            "n_shared_experts": 1, "n_routed_experts": 256, "routed_scaling_factor": 2.5,
            "kv_lora_rank": 512, "q_lora_rank": 1536, "qk_rope_head_dim": 64, "v_head_dim": 128,
            "qk_nope_head_dim": 128, "n_group": 8, "topk_group": 4, "num_experts_per_tok": 8,
            "first_k_dense_replace": 3, "norm_topk_prob": true, "hidden_act": "silu",
            "max_position_embeddings": 4096, "rms_norm_eps": 1e-6, "eos_token_id": 1,
            "tie_word_embeddings": false, "rope_interleave": true, "attention_bias": false,
            "num_nextn_predict_layers": 1, "rope_theta": 10_000,
        ],
        "gpt_oss": [
            "num_hidden_layers": 36, "num_local_experts": 128, "vocab_size": 201_088,
            "hidden_size": 2880, "intermediate_size": 2880, "head_dim": 64,
            "num_attention_heads": 64, "num_key_value_heads": 8, "sliding_window": 128,
            "tie_word_embeddings": false, "hidden_act": "silu",
            "max_position_embeddings": 131_072, "rms_norm_eps": 1e-5, "num_experts_per_tok": 4,
            "swiglu_alpha": 1.702, "swiglu_limit": 7, "layer_types": .null, "eos_token_id": .null,
            "attention_bias": true, "rope_theta": 150_000,
            "rope_parameters": [
                "rope_type": "yarn", "factor": 32, "beta_fast": 32, "beta_slow": 1,
                "truncate": false, "original_max_position_embeddings": 4096,
            ],
        ],
    ]
}
