"""What the player itself says, in each language; the lessons' own prose is in their files."""

from __future__ import annotations

WORDS: dict[str, dict[str, str]] = {
    "en": {
        "minutes": "{minutes} min",
        "step": "Step {number} of {of}",
        "around": "To look around meanwhile, in another terminal: export LABCTL_LAB={lab}",
        "which": "Which one? ",
        "number": "How much{unit}? ",
        "blank": "{name} = ",
        "right": "Right.",
        "wrong": "No: {answer}",
        "was": "The answer: {answer}",
        "seen": "What was seen",
        "act": "Enter does it: ",
        "yours": "Your turn, in another terminal. Enter looks whether it is done; h: a hint, s: do it, q: leave. ",
        "go": "Enter goes on, q leaves: ",
        "done": "Done: the evidence shows it.",
        "not-done": "Not done yet: the evidence does not show it.",
        "hint": "Hint: {hint}",
        "no-hint": "There is no hint for this step.",
        "no-such": "That is none of them: {keys}",
        "no-number": "That is no number.",
        "end": "That was {title}. You foresaw {right} of {asked}.",
        "end-alone": "That was {title}.",
        "lab": "The lab {lab} stays for the next lesson; `labctl down --lab {lab}` removes it.",
        "left": "You left at step {step}; `labctl lesson run {name} --from {step}` goes on there.",
        "failed": "The act did not come to what the lesson is about: {check}",
    },
    "zh": {
        "minutes": "{minutes} 分钟",
        "step": "第 {number} 步，共 {of} 步",
        "around": "想在另一个终端里看看，先在那里输入：export LABCTL_LAB={lab}",
        "which": "选哪一个？",
        "number": "是多少{unit}？",
        "blank": "{name} = ",
        "right": "对了。",
        "wrong": "不对：{answer}",
        "was": "答案：{answer}",
        "seen": "看到的证据",
        "act": "按回车开始：",
        "yours": "轮到你了，请在另一个终端里做。做完按回车检查；h 提示，s 替我做，q 离开。",
        "go": "按回车继续，q 离开：",
        "done": "完成：证据已经显示出来了。",
        "not-done": "还没有完成：证据里还看不到。",
        "hint": "提示：{hint}",
        "no-hint": "这一步没有提示。",
        "no-such": "没有这个选项，可选的有：{keys}",
        "no-number": "这不是一个数。",
        "end": "{title} 到此结束。{asked} 个预测中，你猜对了 {right} 个。",
        "end-alone": "{title} 到此结束。",
        "lab": "实验环境 {lab} 会留给下一课；用 `labctl down --lab {lab}` 可以删除它。",
        "left": "你停在第 {step} 步；`labctl lesson run {name} --from {step}` 可以从那里继续。",
        "failed": "这次操作没有得到本课要看的结果：{check}",
    },
}


def said(language: str, key: str, /, **values: object) -> str:
    return WORDS[language][key].format(**values)
