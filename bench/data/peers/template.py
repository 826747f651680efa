"""Templates and tokenises conversations with transformers' Jinja and Hugging Face's tokenizers, and finds what is trained."""
import json
import sys
import time

source, folder, target = sys.argv[1:4]

import tokenizers
from transformers.utils.chat_template_utils import _compile_jinja_template

rows = [json.loads(line) for line in open(source)]
begun = time.perf_counter()
tokenizer = tokenizers.Tokenizer.from_file(f"{folder}/tokenizer.json")
tokenizer.post_processor = None
template = _compile_jinja_template(json.load(open(f"{folder}/tokenizer_config.json"))["chat_template"])
ANSWER = "<|start|>assistant<|channel|>final<|message|>"
count = 0
out = []
for at in range(0, len(rows), 1000):
    texts = [
        template.render(
            messages=[{"role": "user", "content": r["instruction"]}, {"role": "assistant", "content": r["response"]}],
            add_generation_prompt=False,
        )
        for r in rows[at : at + 1000]
    ]
    for text, encoding in zip(texts, tokenizer.encode_batch(texts, add_special_tokens=False)):
        ids, offsets = encoding.ids, encoding.offsets
        answer = text.rindex(ANSWER) + len(ANSWER)
        first = len(ids)
        while first > 0 and offsets[first - 1][0] >= answer:
            first -= 1
        out.append((ids, (first, len(ids))))
        count += len(ids)
seconds = time.perf_counter() - begun
with open(target + "/ids.jsonl", "w") as file:
    for ids, trained in out:
        file.write(json.dumps({"input_ids": ids, "trained": [trained]}) + "\n")
json.dump({"seconds": seconds, "tokens": count, "version": tokenizers.__version__}, open(target + "/result.json", "w"))
