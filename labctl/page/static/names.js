// Words that mean something by their place alone: the names of events, the fields of events that a row shows and what
// stands there as a state, and the words of a rule as it is typed. They stay as they are in what is typed and exported.
export const NAMES = {
  "zh": {
    "events": {
      "bind": "绑定",
      "listen": "监听",
      "accept": "接受连接",
      "refuse": "拒绝",
      "connect": "连接",
      "send": "发送",
      "recv": "接收",
      "shutdown": "关闭发送",
      "join": "加入组播",
      "close": "关闭",
      "ready": "就绪",
      "input": "输入",
      "message": "消息",
      "queued": "排队",
      "session": "会话",
      "answer": "应答",
      "request": "请求",
      "response": "响应",
      "train": "数据报列",
      "retry": "重试",
      "fault": "故障",
      "rule": "规则",
      "syscall": "系统调用",
      "socket-state": "套接字状态",
      "process": "进程",
      "signal": "信号",
      "error": "错误",
      "exit": "退出",
      "missed": "遗漏",
      "missing": "缺失",
      "log": "输出"
    },
    "fields": {
      "rule": "规则",
      "action": "动作",
      "link": "链路",
      "what": "内容",
      "state": "状态",
      "reason": "原因",
      "error": "错误",
      "status": "状态码",
      "method": "方法",
      "target": "目标",
      "bytes": "字节"
    },
    "states": {
      "set": "已设置",
      "started": "已开始",
      "ended": "已结束",
      "open": "已开始",
      "sent": "已发送",
      "received": "已接收"
    },
    "rules": {
      "drop": "丢弃",
      "delay": "延迟",
      "jitter": "抖动",
      "duplicate": "重复",
      "reorder": "乱序",
      "corrupt": "损坏",
      "rate": "限速",
      "reset": "复位",
      "partition": "隔开",
      "fix-checksum": "修正校验和",
      "once": "一次",
      "times": "次",
      "by": "时长"
    }
  }
};

// Sentences about a whole run, beside those of ladders, which phrases.js has. What stands in {words} stays as it is.
export const NOTES = {
  "zh": [
    ["At {node} {problem}.", "在 {node}:{problem}。"],
    ["The machines {machines} have clocks of their own, corrected ({moved}): what is less than {time} ms apart on two of them may have been in the other order.", "机器 {machines} 各有时钟,已校正({moved}):其中两台上相差不到 {time} 毫秒的事,顺序可能相反。"],
    ["The machines {machines} have clocks of their own: what is less than {time} ms apart on two of them may have been in the other order.", "机器 {machines} 各有时钟:其中两台上相差不到 {time} 毫秒的事,顺序可能相反。"],
    ["It was saved without payloads: no texts, and of packets the headers alone. What was corrupted can't be seen.", "保存时不含载荷:没有文本,数据包只有首部。看不到哪些被损坏。"],
    ["No packets were recorded at {nodes}.", "{nodes} 没有记录数据包。"],
    ["No packets were recorded: `labctl capture --start` begins to.", "没有记录数据包:`labctl capture --start` 开始记录。"],
    ["The sockets are not here: {problem}.", "这里没有套接字:{problem}。"],
    ["{nodes}: made by `labctl run`, which a replay doesn't do.", "{nodes}:由 `labctl run` 创建,重放时不会创建。"],
    ["The Compose file that the lab was made from is not known; the run can't be replayed.", "不知道实验由哪个 Compose 文件创建;无法重放。"],
    ["The lab's Compose file is not here: {problem}. The run can't be replayed.", "实验的 Compose 文件不在这里:{problem}。无法重放。"],
    ["{file} has other services than the lab by now; the run can't be replayed.", "{file} 的服务已与实验不同;无法重放。"],
    ["{count} of {total} packets are shown.", "显示 {total} 个数据包中的 {count} 个。"],
    ["{count} packets of further hosts are not shown.", "另有其他主机的 {count} 个数据包未显示。"]
  ]
};
