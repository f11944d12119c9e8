"""Makes `data/mandarin.dict` from the word list of jieba-rs and the readings of phrase-pinyin-data and the pinyin crate.

    git clone https://github.com/mozillazg/phrase-pinyin-data        # cee0ed6, 0.19.0, MIT
    cargo fetch                                                       # jieba-rs 0.11.0, pinyin 0.11.0, both MIT
    python3 make_dictionary.py ~/.cargo/registry/src/*/jieba-rs-0.11.0/src/data/dict.txt \
        ~/.cargo/registry/src/*/pinyin-0.11.0/pinyin-data/pinyin.txt phrase-pinyin-data data/mandarin.dict

A line is a word, how often jieba's corpus has it, and, where the first readings of its characters are not right, its
syllables. Sorted by bytes. The tones of 一 and 不 are those before sandhi, which the program works out.
"""

import subprocess
import sys
import unicodedata

LEAST_COUNT = 8  # rarer words are put together from their characters, unless they are read otherwise
LEAST_COUNT_READ = 2
MOST_CHARACTERS = 5
TONES = {"\u0304": "1", "\u0301": "2", "\u030c": "3", "\u0300": "4"}

# Characters whose commonest reading alone is not the first one listed.
ALONE = """
的de5 了le5 着zhe5 得de5 地de5 们men5 么me5 吗ma5 吧ba5 呢ne5 啊a5 嘛ma5 呀ya5 哇wa5 啦la5 都dou1 还hai2 谁shei2 为wei4
没mei2 长chang2 行xing2 重zhong4 种zhong3 只zhi3 那na4 哪na3 个ge4 过guo4 看kan4 好hao3 大da4 少shao3 差cha4 当dang1
发fa1 分fen1 干gan4 更geng4 会hui4 间jian1 将jiang1 教jiao1 觉jue2 空kong1 乐le4 量liang4 难nan2 切qie4 数shu4 似si4
通tong1 相xiang1 应ying1 与yu3 载zai4 转zhuan3 传chuan2 朝chao2 藏cang2 背bei4 弹tan2 降jiang4 要yao4 系xi4 血xue4 和he2
说shuo1 给gei3 上shang4 下xia4 子zi3 儿er2 头tou2 家jia1 边bian1 里li3 面mian4 中zhong1 曲qu3 便bian4 倒dao4 调tiao2
什shen2 喝he1 读du2 度du4 单dan1 石shi2 色se4 车che1 几ji3 据ju4 角jiao3 咖ka1 落luo4 绿lv4 率lv4 模mo2 薄bao2 奇qi2
强qiang2 宿su4 吐tu3 鲜xian1 削xiao1 咽yan4 殷yin1 扎zha1 粘zhan1 占zhan4 正zheng4 挣zheng4 著zhu4 钻zuan4 作zuo4 号hao4
冲chong1 处chu4 担dan1 缝feng2 供gong1 冠guan4 哈ha1 荷he2 横heng2 划hua4 晃huang4 济ji4 监jian1 结jie2 尽jin4 卷juan3
卡ka3 壳ke2 露lu4 论lun4 埋mai2 闷men4 磨mo2 宁ning2 胖pang4 泡pao4 片pian4 漂piao1 撒sa1 塞sai1 散san4 丧sang4 舍she4
省sheng3 盛sheng4 熟shu2 挑tiao1 帖tie1 王wang2 吓xia4 校xiao4 宣xuan1 炸zha4 症zheng4 中zhong1 六liu4 五wu3 一yi1 不bu4
七qi1 八ba1 十shi2 万wan4 亿yi4 百bai3 千qian1 零ling2 两liang3 俩lia3 幺yao1 点dian3 第di4 负fu4 月yue4 年nian2 日ri4
嗯en4 呣mu2 噷hen5 欸ei4 哼heng1
"""
# Words that the sources do not have, or have otherwise than they are said.
WORDS = """
不是bu4shi4 要是yao4shi5 得到de2dao4 觉得jue2de5 东西dong1xi5 什么shen2me5 怎么zen3me5 怎么样zen3me5yang4 这么zhe4me5 那么na4me5 多么duo1me5
为什么wei4shen2me5 我们wo3men5 你们ni3men5 他们ta1men5 她们ta1men5 它们ta1men5 咱们zan2men5 人们ren2men5 谢谢xie4xie5
爸爸ba4ba5 妈妈ma1ma5 哥哥ge1ge5 姐姐jie3jie5 弟弟di4di5 妹妹mei4mei5 爷爷ye2ye5 奶奶nai3nai5 叔叔shu1shu5 宝宝bao3bao5
先生xian1sheng5 小姐xiao3jie3 朋友peng2you5 时候shi2hou5 地方di4fang5 知道zhi1dao4 认识ren4shi5 明白ming2bai5 漂亮piao4liang5
喜欢xi3huan5 告诉gao4su5 衣服yi1fu5 学生xue2sheng5 休息xiu1xi5 消息xiao1xi5 事情shi4qing5 便宜pian2yi5 还是hai2shi5
银行yin2hang2 一行yi1hang2 行李xing2li5 音乐yin1yue4 快乐kuai4le4 重庆chong2qing4 重新chong2xin1 长大zhang3da4 校长xiao4zhang3
睡觉shui4jiao4 都市du1shi4 成都cheng2du1 首都shou3du1 好像hao3xiang4 爱好ai4hao4 教室jiao4shi4 数一数shu3yi5shu3 慢慢地man4man4de5
早上zao3shang5 晚上wan3shang5 路上lu4shang5 里面li3mian4 外面wai4mian4 桌子zhuo1zi5 孩子hai2zi5 房子fang2zi5 椅子yi3zi5
电梯dian4ti1 机器人ji1qi4ren2 欢迎光临huan1ying2guang1lin2 对不起dui4bu5qi3 没关系mei2guan1xi5 不客气bu4ke4qi5 这里zhe4li5 那里na4li5
哪里na2li5 那儿na4r5 这儿zhe4r5 哪儿na3r5 一点儿yi1dian3r5 有点儿you3dian3r5 一会儿yi1hui4r5 好玩儿hao3wan2r5 哪个na3ge4
这个zhe4ge5 那个na4ge5 几个ji3ge5 两个liang3ge5 多少duo1shao5 少年shao4nian2 大夫dai4fu5 大学da4xue2 头发tou2fa5
发现fa1xian4 理发li3fa4 还钱huan2qian2 还书huan2shu1 归还gui1huan2 给予ji3yu3 供给gong1ji3 角色jue2se4 血液xue4ye4 流血liu2xue4
调查diao4cha2 声调sheng1diao4 空调kong1tiao2 模样mu2yang4 着急zhao2ji2 睡着shui4zhao2 看着kan4zhe5 倒车dao4che1 摔倒shuai1dao3 倒水dao4shui3
中奖zhong4jiang3 种树zhong4shu4 种植zhong4zhi2 处理chu3li3 应用ying4yong4 反应fan3ying4 适应shi4ying4 传记zhuan4ji4 旋转xuan2zhuan3
转圈zhuan4quan1 假期jia4qi1 放假fang4jia4 相片xiang4pian4 照相zhao4xiang4 兴趣xing4qu4 高兴gao1xing4 兴奋xing1fen4 薄弱bo2ruo4
温度wen1du4 率领shuai4ling3 效率xiao4lv4 旅行lv3xing2 女儿nv3er2 儿子er2zi5 儿童er2tong2 绿色lv4se4 策略ce4lve4
"""


def syllable(marked):
    """`zhōng` to `zhong1`."""
    tone, letters = "5", ""
    for c in unicodedata.normalize("NFD", marked.lower()):
        if c in TONES:
            tone = TONES[c]
        elif c == "\u0308":
            letters = letters[:-1] + "v"
        elif c.isalpha():
            letters += c
    return letters + tone


def characters(path):
    readings = {}
    for line in open(path, encoding="utf-8"):
        if line.startswith("U+"):
            code, rest = line.split(":", 1)
            readings[chr(int(code[2:], 16))] = syllable(rest.split("#")[0].split(",")[0].strip())
    return readings


def is_han(c):
    return "\u4e00" <= c <= "\u9fff" or "\u3400" <= c <= "\u4dbf" or c == "\u3007"


def split(packed):
    """`银行yin2hang2` to the word and its syllables."""
    at = next(i for i, c in enumerate(packed) if c.isascii())
    parts, part = [], ""
    for c in packed[at:]:
        part += c
        if c.isdigit():
            parts.append(part)
            part = ""
    assert len(parts) == at, packed
    return packed[:at], parts


def phrases(folder):
    """Later sources go before earlier ones, but a neutral tone that any of them has is kept."""
    found = {}
    for name in ["cc_cedict.txt", "pinyin.txt", "overwrite.txt"]:
        shown = subprocess.run(["git", "-C", folder, "show", f"HEAD:{name}"], capture_output=True, check=True)
        for line in shown.stdout.decode().splitlines():
            if ":" not in line or line.startswith("#"):
                continue
            word, rest = line.split(":", 1)
            parts = [syllable(p) for p in rest.split("#")[0].split()]
            if len(parts) != len(word) or not all(map(is_han, word)):
                continue
            parts = ["r5" if c == "儿" and i > 0 and p in ("er5", "r5") else p for i, (c, p) in enumerate(zip(word, parts))]
            parts = [{"一": "yi1", "不": "bu4" if p != "bu5" else p}.get(c, p) for c, p in zip(word, parts)]
            before = found.get(word)
            if before:
                parts = [b if b[-1] == "5" and b[:-1] == p[:-1] else p for b, p in zip(before, parts)]
            found[word] = parts
    return found


def main(jieba, single, folder, output):
    alone = dict(split(packed) for packed in ALONE.split())
    first = characters(single) | {c: parts[0] for c, parts in alone.items()}
    read = phrases(folder) | dict(split(packed) for packed in WORDS.split())
    given = {split(packed)[0] for packed in WORDS.split()}
    counts = {}
    for line in open(jieba, encoding="utf-8"):
        word, count = line.split()[:2]
        if all(map(is_han, word)):
            counts[word] = int(count)
    lines = []
    for word in counts.keys() | given | alone.keys():
        count = counts.get(word, 100)
        parts = read.get(word) if len(word) > 1 else alone.get(word)
        differs = parts is not None and (len(word) == 1 or parts != [first.get(c) for c in word])
        least = LEAST_COUNT_READ if differs else LEAST_COUNT
        if word in given or len(word) == 1 or (count >= least and len(word) <= MOST_CHARACTERS):
            lines.append(f"{word} {max(count, 1)}" + (" " + "".join(parts) if differs else ""))
    lines.sort(key=lambda line: line.split()[0].encode())
    open(output, "w", encoding="utf-8").write("\n".join(lines) + "\n")
    print(len(lines), "words,", sum(line.count(" ") == 2 for line in lines), "with syllables")


main(*sys.argv[1:])
