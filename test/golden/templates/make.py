"""Renders conversations.json with the libraries that define each chat format, and writes rendered.json.

    pip install openai-harmony==0.0.8 transformers==5.23.0 jinja2==3.1.6 mistral-common==1.13.1 trl==1.16.0   # trl with --no-deps
    TIKTOKEN_ENCODINGS_BASE=<folder with o200k_base.tiktoken> python make.py

harmony: openai-harmony. hf, chatml, llama3, gemma: the chat templates published with gpt-oss, Qwen3, Llama 3 and Gemma 3, as
trl ships them, in transformers' Jinja. mistral: mistral-common. A format that cannot express a conversation has null.
"""
import datetime
import json
from pathlib import Path

import mistral_common
import openai_harmony as oh
import trl
from mistral_common.protocol.instruct import messages as mm
from mistral_common.protocol.instruct.normalize import InstructRequestNormalizerV7
from mistral_common.protocol.instruct.request import ChatCompletionRequest
from mistral_common.protocol.instruct.validator import ValidationMode
from mistral_common.tokens.tokenizers.instruct import InstructTokenizerV7
from mistral_common.tokens.tokenizers.mistral import MistralTokenizer
from transformers.utils.chat_template_utils import _compile_jinja_template

HERE = Path(__file__).parent
TEMPLATES = Path(trl.__file__).parent / "chat_templates"
ENCODING = oh.load_harmony_encoding("HarmonyGptOss")
THINKING = ("thinking", "analysis", "reasoning_content")


def arguments(call):
    given = call["function"]["arguments"]
    return json.loads(given) if isinstance(given, str) else given


def harmony(row, options, open_):
    """As vLLM's chat puts a conversation into openai-harmony's classes."""
    system = oh.SystemContent.new().with_reasoning_effort(oh.ReasoningEffort[options.get("reasoning", "medium").upper()])
    if "date" in options:
        system = system.with_conversation_start_date(options["date"])
    if "model_identity" in options:
        system = system.with_model_identity(options["model_identity"])
    if "knowledge_cutoff" in options:
        system.knowledge_cutoff = options["knowledge_cutoff"]
    out = [oh.Message.from_role_and_content(oh.Role.SYSTEM, system)]
    messages = row["messages"]
    instructions = options.get("developer")
    if messages[0]["role"] in ("system", "developer"):
        instructions, messages = messages[0]["content"], messages[1:]
    developer = oh.DeveloperContent.new()
    if instructions:
        developer = developer.with_instructions(instructions)
    if row.get("tools"):
        functions = [t["function"] for t in row["tools"]]
        developer = developer.with_function_tools(
            [oh.ToolDescription(name=f["name"], description=f.get("description", ""), parameters=f.get("parameters")) for f in functions]
        )
    if instructions or row.get("tools"):
        out.append(oh.Message.from_role_and_content(oh.Role.DEVELOPER, developer))
    names = {}
    for m in messages:
        if m["role"] == "user":
            author = oh.Author(role=oh.Role.USER, name=m.get("name"))
            out.append(oh.Message.from_author_and_content(author, m["content"]))
        elif m["role"] == "tool":
            author = oh.Author.new(oh.Role.TOOL, f"functions.{m.get('name') or names[m['tool_call_id']]}")
            message = oh.Message.from_author_and_content(author, m["content"])
            out.append(message.with_channel("commentary").with_recipient("assistant"))
        else:
            def say(channel, content):
                out.append(oh.Message.from_role_and_content(oh.Role.ASSISTANT, content).with_channel(channel))

            for key in THINKING:
                if m.get(key):
                    say("analysis", m[key])
            calls = m.get("tool_calls") or []
            if m.get("content"):
                say(m.get("channel") or ("commentary" if calls else "final"), m["content"])
            for call in calls:
                name, given = call["function"]["name"], call["function"]["arguments"]
                names[call.get("id")] = name
                text = given if isinstance(given, str) else json.dumps(given, separators=(",", ":"), ensure_ascii=False)
                say("commentary", text)
                out[-1] = out[-1].with_recipient(f"functions.{name}").with_content_type("<|constrain|>json")
    conversation = oh.Conversation.from_messages(out)
    config = oh.RenderConversationConfig(auto_drop_analysis=options.get("drop_analysis") != "never")
    if open_:
        ids = ENCODING.render_conversation_for_completion(conversation, oh.Role.ASSISTANT, config)
    else:
        ids = ENCODING.render_conversation_for_training(conversation, config)
    return ENCODING.decode(ids)


def jinja(template, row, options, open_, **more):
    messages = [dict(m) for m in row["messages"]]
    if "developer" in options and messages[0]["role"] not in ("system", "developer"):
        messages.insert(0, {"role": "system", "content": options["developer"]})
    for m in messages:
        m.setdefault("content", "")
        if m["role"] == "developer" and template != "gptoss.jinja":
            m["role"] = "system"
        for key in THINKING:
            if m.get(key):
                m["thinking"] = m["reasoning_content"] = m[key]
        if "tool_calls" in m:
            m["tool_calls"] = [
                {**c, "function": {"name": c["function"]["name"], "arguments": arguments(c)}} for c in m["tool_calls"]
            ]
    day = datetime.date.fromisoformat(options.get("date", "2025-08-05"))
    given = {k: options[k] for k in ("model_identity",) if k in options}
    try:
        return _compile_jinja_template((TEMPLATES / template).read_text()).render(
            messages=messages,
            tools=row.get("tools"),
            add_generation_prompt=open_,
            reasoning_effort=options.get("reasoning", "medium"),
            strftime_now=lambda f: day.strftime(f),
            **given,
            **more,
        )
    except Exception:
        return None


def plain(row):
    """Whether a conversation is nothing but texts, which is all that some formats can express."""
    keys = {"tool_calls", *THINKING}
    return not row.get("tools") and all(m["role"] != "tool" and not keys & m.keys() for m in row["messages"])


def chatml(row, options, open_):
    thinks = [bool({*THINKING} & m.keys()) for m in row["messages"] if m["role"] == "assistant"]
    if any(thinks) and not open_ and not thinks[-1]:
        return None  # Qwen3 writes an empty <think> then; ChatML as such has none.
    return jinja("qwen3.jinja" if any(thinks) else "qwen3_instruct_2507.jinja", row, options, open_)


def mistral_tokenizers():
    path = Path(mistral_common.__file__).parent / "data/tekken_240911.json"
    old = MistralTokenizer.from_file(str(path), mode=ValidationMode.finetuning)
    new = InstructTokenizerV7(old.instruct_tokenizer.tokenizer)
    return old, MistralTokenizer(new, old._chat_completion_request_validator, InstructRequestNormalizerV7.normalizer())


V3, V7 = mistral_tokenizers()


def mistral(tokenizer, row, options, open_):
    if not plain(row):
        return None
    kinds = {"system": mm.SystemMessage, "user": mm.UserMessage, "assistant": mm.AssistantMessage}
    messages = list(row["messages"])
    if "developer" in options and messages[0]["role"] != "system":
        messages.insert(0, {"role": "system", "content": options["developer"]})
    try:
        tokenizer._chat_completion_request_validator._mode = ValidationMode.test if open_ else ValidationMode.finetuning
        request = ChatCompletionRequest(messages=[kinds[m["role"]](content=m["content"]) for m in messages])
        return tokenizer.encode_chat_completion(request).text
    except Exception:
        return None


def render(case):
    row, options = case["row"], case.get("options", {})
    asked = {**row, "messages": row["messages"][:-1] if row["messages"][-1]["role"] == "assistant" else row["messages"]}
    out = {}
    for kind, r, open_ in (("sample", row, False), ("prompt", asked, True)):
        if not r["messages"] or (kind == "sample" and row["messages"][-1]["role"] != "assistant"):
            continue
        named = any("name" in m for m in r["messages"] if m["role"] == "user")
        channels = any("channel" in m for m in r["messages"])
        parallel = any(len(m.get("tool_calls", [])) > 1 for m in r["messages"])
        out[kind] = {
            "harmony": harmony(r, options, open_),
            "hf": None if named or channels or parallel else jinja("gptoss.jinja", r, options, open_),
            "chatml": None if named or channels else chatml(r, options, open_),
            "llama3": jinja("llama3.jinja", r, options, open_, bos_token="<|begin_of_text|>") if plain(r) and not named else None,
            "gemma": jinja("gemma3.jinja", r, options, open_, bos_token="<bos>") if plain(r) and not named else None,
            "mistral-v3": None if named or channels else mistral(V3, r, options, open_),
            "mistral-v7": None if named or channels else mistral(V7, r, options, open_),
        }
    return out


if __name__ == "__main__":
    cases = json.loads((HERE / "conversations.json").read_text())
    rendered = {name: render(case) for name, case in cases.items()}
    (HERE / "rendered.json").write_text(json.dumps(rendered, ensure_ascii=False, indent=2) + "\n")
    count = sum(text is not None for kinds in rendered.values() for texts in kinds.values() for text in texts.values())
    print(f"{len(cases)} conversations, {count} texts")
