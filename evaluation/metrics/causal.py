"""Perplexity under any causal language model, through `transformers`, as CALM section 5.1 does with Mistral 7B."""

from evaluation.errors import InputError
from evaluation.metrics.perplexity import Surprise
from evaluation.metrics.pretrained import load_pretrained


class CausalModel:
    """A loaded causal language model; its tokens, and so its figures, are its own.

    Raises:
        InputError: See `load_pretrained`.
    """

    def __init__(self, source: str, device: str = "cpu"):
        self._source = source
        self.model, self.tokenizer = load_pretrained(
            "AutoModelForCausalLM", "AutoTokenizer", source, device, "The metric ppx"
        )

    def surprise(self, text: str) -> Surprise | None:
        """Of one text as it is written; the first token is predicted only where the model has a mark for the start.

        None where there is nothing to predict.

        Raises:
            InputError: The text is longer than the model's context.
        """
        import torch

        tokens = self.tokenizer(text.strip(), add_special_tokens=False)["input_ids"]
        if tokens and self.tokenizer.bos_token_id is not None:
            tokens = [self.tokenizer.bos_token_id, *tokens]
        if len(tokens) < 2:
            return None
        limit = getattr(self.model.config, "max_position_embeddings", None)
        if limit is not None and len(tokens) > limit:
            raise InputError(
                f"A transcript has {len(tokens)} tokens and {self._source!r} reads {limit} at most; give shorter clips."
            )
        numbers = torch.tensor([tokens], device=self.model.device)
        with torch.inference_mode():
            logits = self.model(input_ids=numbers).logits[0, :-1].float()
        nats = torch.nn.functional.cross_entropy(logits, numbers[0, 1:], reduction="sum")
        return Surprise(float(nats), len(tokens) - 1)
