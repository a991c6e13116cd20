/// What the configuration classes of transformers 5.24 are when nothing is given, as they write themselves:
/// `OlmoeConfig().to_dict()` and so on, without what no layer depends on.
enum LibraryDefaults {
    static let all = first.merging(newer) { $1 }

    /// Those whose classes leave out what a model needs, or whose heads would turn by half a pair.
    static let incomplete: Set = ["deepseek_v2", "dots1", "glm4_moe"]

    static let first: [String: String] = [
        "deepseek_v3": """
        {"model_type": "deepseek_v3", "attention_bias": false, "eos_token_id": 1,
        "first_k_dense_replace": 3, "head_dim": 64, "hidden_act": "silu", "hidden_size": 7168,
        "intermediate_size": 18432, "kv_lora_rank": 512, "max_position_embeddings": 4096,
        "moe_intermediate_size": 2048, "n_group": 8, "n_routed_experts": 256,
        "n_shared_experts": 1, "norm_topk_prob": true, "num_attention_heads": 128,
        "num_experts_per_tok": 8, "num_hidden_layers": 61, "num_key_value_heads": 128,
        "num_nextn_predict_layers": 1, "q_lora_rank": 1536, "qk_head_dim": 192,
        "qk_nope_head_dim": 128, "qk_rope_head_dim": 64, "rms_norm_eps": 1e-06,
        "rope_interleave": true, "rope_parameters": {"rope_theta": 10000.0, "rope_type":
        "default"}, "routed_scaling_factor": 2.5, "tie_word_embeddings": false, "topk_group": 4,
        "v_head_dim": 128, "vocab_size": 129280}
        """,
        "flex_olmo": """
        {"model_type": "flex_olmo", "attention_bias": false, "eos_token_id": 100257, "hidden_act":
        "silu", "hidden_size": 4096, "intermediate_size": 11008, "max_position_embeddings": 4096,
        "norm_topk_prob": false, "num_attention_heads": 32, "num_experts": 7,
        "num_experts_per_tok": 5, "num_hidden_layers": 32, "num_key_value_heads": 32,
        "rms_norm_eps": 1e-06, "rope_parameters": {"rope_theta": 500000.0, "rope_type":
        "default"}, "tie_word_embeddings": false, "vocab_size": 100352}
        """,
        "glm4_moe_lite": """
        {"model_type": "glm4_moe_lite", "attention_bias": false, "eos_token_id": 1,
        "hidden_act": "silu", "hidden_size": 2048, "intermediate_size": 10240, "kv_lora_rank":
        512, "max_position_embeddings": 202752, "moe_intermediate_size": 1536, "n_group": 1,
        "n_routed_experts": 64, "n_shared_experts": 1, "norm_topk_prob": true,
        "num_attention_heads": 20, "num_experts_per_tok": 4, "num_hidden_layers": 47,
        "num_key_value_heads": 20, "q_lora_rank": 768, "qk_nope_head_dim": 192,
        "qk_rope_head_dim": 64, "rms_norm_eps": 1e-05, "rope_interleave": true,
        "rope_parameters": {"rope_theta": 10000.0, "rope_type": "default"},
        "routed_scaling_factor": 1.8, "tie_word_embeddings": false, "topk_group": 1,
        "v_head_dim": 256, "vocab_size": 154880}
        """,
        "gpt_oss": """
        {"model_type": "gpt_oss", "attention_bias": true, "eos_token_id": null, "head_dim": 64,
        "hidden_act": "silu", "hidden_size": 2880, "intermediate_size": 2880, "layer_types":
        null, "max_position_embeddings": 131072, "num_attention_heads": 64,
        "num_experts_per_tok": 4, "num_hidden_layers": 36, "num_key_value_heads": 8,
        "num_local_experts": 128, "rms_norm_eps": 1e-05, "rope_parameters": {"rope_type":
        "yarn", "factor": 32.0, "beta_fast": 32.0, "beta_slow": 1.0, "truncate": false,
        "original_max_position_embeddings": 4096, "rope_theta": 150000.0}, "sliding_window":
        128, "swiglu_alpha": 1.702, "swiglu_limit": 7.0, "tie_word_embeddings": false,
        "vocab_size": 201088}
        """,
        "mixtral": """
        {"model_type": "mixtral", "eos_token_id": 2, "head_dim": null, "hidden_act": "silu",
        "hidden_size": 4096, "intermediate_size": 14336, "max_position_embeddings": 131072,
        "num_attention_heads": 32, "num_experts_per_tok": 2, "num_hidden_layers": 32,
        "num_key_value_heads": 8, "num_local_experts": 8, "rms_norm_eps": 1e-05,
        "rope_parameters": {"rope_theta": 1000000.0, "rope_type": "default"}, "sliding_window":
        null, "tie_word_embeddings": false, "vocab_size": 32000}
        """,
        "olmoe": """
        {"model_type": "olmoe", "attention_bias": false, "clip_qkv": null, "eos_token_id":
        50279, "hidden_act": "silu", "hidden_size": 2048, "intermediate_size": 2048,
        "max_position_embeddings": 4096, "norm_topk_prob": false, "num_attention_heads": 16,
        "num_experts": 64, "num_experts_per_tok": 8, "num_hidden_layers": 16,
        "num_key_value_heads": 16, "rms_norm_eps": 1e-05, "rope_parameters": {"rope_theta":
        10000.0, "rope_type": "default"}, "tie_word_embeddings": false, "vocab_size": 50304}
        """,
        "qwen2_moe": """
        {"model_type": "qwen2_moe", "decoder_sparse_step": 1, "eos_token_id": null, "hidden_act":
        "silu", "hidden_size": 2048, "intermediate_size": 5632, "max_position_embeddings": 32768,
        "max_window_layers": 28, "mlp_only_layers": [], "moe_intermediate_size": 1408,
        "norm_topk_prob": false, "num_attention_heads": 16, "num_experts": 60,
        "num_experts_per_tok": 4, "num_hidden_layers": 24, "num_key_value_heads": 16,
        "qkv_bias": true, "rms_norm_eps": 1e-06, "rope_parameters": {"rope_theta": 10000.0,
        "rope_type": "default"}, "shared_expert_intermediate_size": 5632, "sliding_window": 0,
        "tie_word_embeddings": false, "use_sliding_window": false, "vocab_size": 151936}
        """,
        "qwen3_moe": """
        {"model_type": "qwen3_moe", "attention_bias": false, "decoder_sparse_step": 1,
        "eos_token_id": null, "hidden_act": "silu", "hidden_size": 2048, "intermediate_size":
        6144, "max_position_embeddings": 32768, "mlp_only_layers": [], "moe_intermediate_size":
        768, "norm_topk_prob": false, "num_attention_heads": 32, "num_experts_per_tok": 8,
        "num_hidden_layers": 24, "num_key_value_heads": 4, "num_local_experts": 128,
        "rms_norm_eps": 1e-06, "rope_parameters": {"rope_theta": 10000.0, "rope_type":
        "default"}, "sliding_window": null, "tie_word_embeddings": false, "use_sliding_window":
        false, "vocab_size": 151936}
        """,
    ]

    /// Fields that the classes derive from others, so that they are no defaults of their own.
    static let derived: [String: Set<String>] = [
        "olmoe": ["num_key_value_heads"], "flex_olmo": ["num_key_value_heads"],
        "deepseek_v3": ["num_key_value_heads", "head_dim"],
        "glm4_moe_lite": ["num_key_value_heads"],
        "qwen3_moe": ["sliding_window"], "qwen2_moe": ["sliding_window"],
        "deepseek_v2": ["num_key_value_heads", "head_dim"],
        "ernie4_5_moe": ["moe_layer_end_index"], "granitemoe": ["num_key_value_heads"],
        "kimi_k2": ["num_key_value_heads", "head_dim"],
        "mistral4": ["num_key_value_heads", "head_dim", "rope_parameters"],
    ]
}
