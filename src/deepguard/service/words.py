"""Every sentence of the page, in Korean and English; the templates hold none."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

LANGUAGES = ("ko", "en")

WORDS: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        "name": ("딥가드", "Deepguard"),
        "other_language": ("English", "한국어"),
        "home": ("새 사진", "New photo"),
        "skip": ("본문으로 가기", "Skip to the content"),
        "start.title": ("사진 속 얼굴을 딥페이크에서 지켜요", "Keep the faces in your photo out of deepfakes"),
        "start.lead": (
            "사진을 조금 바꿔서, 딥페이크 도구가 얼굴을 잘 찾지 못하게 해요. 모든 도구를 막지는 못하고,"
            " 이미 올린 사진은 지켜 주지 못해요.",
            "It changes the photo a little so that deepfake tools have trouble finding the face. It does not stop every"
            " tool, and it cannot help photos that are already online.",
        ),
        "start.file": ("사진 고르기", "Choose a photo"),
        "start.drop": ("여기를 누르거나 사진을 끌어다 놓아 주세요", "Press here or drop a photo"),
        "start.limits": (
            "{formats} · {size}까지 · {pixels}까지 · {hours} 뒤에 지워요",
            "{formats} · up to {size} · up to {pixels} · removed after {hours}",
        ),
        "start.preset": ("얼마나 바꿀까요?", "How much may change?"),
        "start.seconds": ("휴대폰 사진이면 {time}쯤 걸려요", "about {time} for a phone's photo"),
        "start.send": ("보호하기", "Protect it"),
        "start.many": (
            "지금 {count}건이 차례를 기다려요. 조금 더 걸릴 수 있어요.",
            "{count} jobs are waiting, so it may take longer.",
        ),
        "start.own": (
            "내 사진이나 허락받은 사진만 올려 주세요. 사진은 보호하는 데에만 써요.",
            "Use your own photo or one you have permission for. It is used for nothing but protecting it.",
        ),
        "start.removed": ("사진과 결과를 모두 지웠어요.", "The photo and its results are removed."),
        "preset.balanced": ("기본", "Balanced"),
        "preset.balanced.summary": (
            "옅은 무늬가 생겨요. 매끈한 피부에서는 보일 수 있어요.",
            "A faint pattern; on smooth skin you may see it.",
        ),
        "preset.strong": ("강하게", "Strong"),
        "preset.strong.summary": (
            "무늬가 더 잘 보이지만, SNS에 올린 뒤에도 더 잘 버텨요.",
            "Easier to see, but survives posting better.",
        ),
        "preset.small-faces": ("작은 얼굴", "Small faces"),
        "preset.small-faces.summary": (
            "단체 사진처럼 얼굴이 작을 때 골라 주세요.",
            "For group photos and other small faces.",
        ),
        "starting.title": ("준비하고 있어요", "Getting ready"),
        "starting.text": (
            "프로그램이 막 켜져서 모델을 읽고 있어요. 잠시 뒤에 저절로 다시 열려요.",
            "The service has just started and is loading its models. This page opens again by itself in a moment.",
        ),
        "job.queued": ("차례를 기다려요", "Waiting for its turn"),
        "job.running": ("보호하고 있어요", "Protecting it"),
        "job.cancelling": ("멈추고 있어요", "Stopping"),
        "job.done": ("다 됐어요", "Done"),
        "job.failed": ("하지 못했어요", "It did not work"),
        "job.cancelled": ("취소했어요", "Cancelled"),
        "job.expired": ("사진을 지웠어요", "The photo was removed"),
        "job.queued.text": (
            "이 화면은 저절로 새로 고쳐져요. 닫았다가 이 주소로 다시 와도 돼요.",
            "This page refreshes itself. You may close it and come back to this address.",
        ),
        "job.cancelled.text": ("원하면 다시 해 볼 수 있어요.", "You can try again if you like."),
        "job.expired.text": (
            "보관 시간이 지나서 사진과 결과를 모두 지웠어요. 다시 하려면 사진을 새로 올려 주세요.",
            "The time to keep it is over, so the photo and its results are gone. Upload the photo again to repeat it.",
        ),
        "job.progress": ("진행", "Progress"),
        "job.left": ("{time}쯤 남았어요", "about {time} left"),
        "job.detectors": ("얼굴을 찾는 프로그램", "Programs that look for faces"),
        "job.sees": ("아직 얼굴을 찾아요", "still sees the face"),
        "job.misses": ("이제 못 찾아요", "no longer sees it"),
        "stage.queued": ("곧 시작해요", "starts soon"),
        "stage.looking for faces": ("얼굴을 찾고 있어요", "looking for faces"),
        "stage.protect": ("사진을 조금씩 바꾸고 있어요", "changing the photo little by little"),
        "stage.verifying": ("저장한 사진을 다시 확인하고 있어요", "checking the saved photo"),
        "stage.writing": ("결과를 저장하고 있어요", "saving the results"),
        "stage.working": ("일하고 있어요", "working"),
        "act.cancel": ("취소", "Cancel"),
        "act.retry": ("다시 해 보기", "Try again"),
        "act.delete": ("지금 지우기", "Delete now"),
        "result.download": ("보호한 사진 받기", "Download the protected photo"),
        "result.picture": ("보호한 사진", "The protected photo"),
        "result.comparison": ("앞뒤 비교", "Before and after"),
        "result.heatmap": ("바뀐 곳", "What changed"),
        "result.heatmap.text": (
            "밝을수록 많이 바뀌었어요. 눈금은 늘 같아요(0~16/255).",
            "Brighter means more change. The scale is always the same (0 to 16/255).",
        ),
        "result.log": ("기록 (JSON)", "Log (JSON)"),
        "result.qr": ("다른 기기에서 이 화면 열기", "Open this page on another device"),
        "result.figures": ("숫자로 보기", "In figures"),
        "result.hidden": (
            "얼굴을 찾는 프로그램 {before}개가 원본에서 얼굴을 찾았고, 보호한 사진에서는 {after}개가 찾아요.",
            "Programs that find the face: {before} in the original, {after} in the protected photo.",
        ),
        "result.hidden.all": (
            "얼굴을 찾는 프로그램 {before}개가 원본에서 얼굴을 찾았지만, 보호한 사진에서는 하나도 찾지 못했어요.",
            "Programs that find the face: {before} in the original, none in the protected photo.",
        ),
        "result.hidden.none": (
            "얼굴을 찾는 프로그램 {before}개가 보호한 사진에서도 모두 얼굴을 찾아요. ‘강하게’로 다시 해 보세요.",
            "Programs that find the face: {before} in the original, as many in the protected photo. Try the strong"
            " choice.",
        ),
        "result.hidden.many": (
            "얼굴 {faces}개를 프로그램 {detectors}개로 찾아 봤어요. 원본에서는 모두 {before}번, 보호한 사진에서는"
            " {after}번 찾았어요.",
            "Finds of {faces} faces by all programs together ({detectors}): {before} in the original, {after} in the"
            " protected photo.",
        ),
        "result.hidden.before": (
            "얼굴을 찾는 프로그램이 원본에서도 얼굴을 찾지 못했어요.",
            "The programs find no face in the original either.",
        ),
        "result.judges": (
            "보호할 때 쓰지 않은 프로그램({detectors}개)은 원본에서 {before}번, 보호한 사진에서 {after}번 얼굴을"
            " 찾았어요.",
            "Programs that were not attacked ({detectors}) find faces {before} times in the original, {after} times in"
            " the protected photo.",
        ),
        "result.posted": (
            "SNS에 올린 뒤처럼 다시 압축하면 {places}가 찾아요.",
            "Compressed again as after posting, the face is found by {places}.",
        ),
        "result.place": ("{place} {count}개", "{count} ({place})"),
        "result.missing": (
            "모델이 없어서 시험하지 못한 프로그램이 있어요: {names}.",
            "Not tested, because their models are not here: {names}.",
        ),
        "result.expires": ("{time} 뒤에 모두 지워요.", "Everything is removed in {time}."),
        "result.honest": (
            "이 결과는 안전을 보장하지 않아요. 여기서 시험한 프로그램에 대해서만 말하고,"
            " 다른 도구는 얼굴을 찾을 수도 있어요.",
            "This result is no guarantee of safety. It speaks only of the programs tested here; other tools may still"
            " find the face.",
        ),
        "result.tested": ("{when}에 시험했어요.", "Tested on {when}."),
        "figure.variant": ("고른 방법", "Choice"),
        "figure.faces": ("보호한 얼굴", "Protected faces"),
        "figure.detectors": ("시험한 프로그램", "Programs tested"),
        "figure.found_before": ("원본에서 얼굴을 찾은 횟수", "Finds in the original"),
        "figure.found_after": ("보호한 사진에서 찾은 횟수", "Finds in the protected photo"),
        "figure.posted": ("{name}에 올린 뒤처럼 다시 압축하면", "When compressed again as by {name}"),
        "figure.ssim": ("원본과 닮은 정도 (SSIM, 1이면 같아요)", "Likeness to the original (SSIM, 1 is the same)"),
        "figure.lpips": ("눈에 보이는 차이 (LPIPS, 0이면 같아요)", "Visible difference (LPIPS, 0 is the same)"),
        "figure.megapixels": ("사진 크기 (백만 화소)", "Size (megapixels)"),
        "figure.seconds": ("걸린 시간", "Time taken"),
        "figure.device": ("계산한 곳", "Computed on"),
        "posting.instagram": ("인스타그램", "Instagram"),
        "posting.kakaotalk": ("카카오톡", "KakaoTalk"),
        "fault.title": ("지금은 할 수 없어요", "That did not work"),
        "fault.back": ("처음으로", "Back to the start"),
        "fault.reload": ("다시 열기", "Try again"),
        "fault.id": ("문의할 때 알려 주세요: {id}", "When you ask for help, give this number: {id}"),
        "unit.seconds": ("{n}초", "{n} s"),
        "unit.minutes": ("{n}분", "{n} min"),
        "unit.hours": ("{n}시간", "{n} hours"),
        "unit.hour": ("1시간", "1 hour"),
        "unit.pixels": ("{n}만 화소", "{n} megapixels"),
    }
)
"""Key -> the sentence in Korean and in English, with its gaps in braces."""

ERRORS: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        "bad_request": (
            "보낸 내용을 읽지 못했어요. 다시 해 주세요.",
            "The request could not be read. Please try again.",
        ),
        "key_required": ("열쇠가 있어야 해요.", "This needs a key."),
        "key_wrong": ("열쇠가 맞지 않아요.", "The key is not valid."),
        "forbidden": (
            "이 화면에서 보낸 것이 아니라서 받지 않았어요. 화면을 새로 열고 다시 해 주세요.",
            "This did not come from this page, so it was refused. Reload the page and try again.",
        ),
        "not_found": (
            "여기에는 아무것도 없어요. 지워졌거나 주소가 잘못됐어요.",
            "There is nothing here. It was removed, or the address is wrong.",
        ),
        "method": ("이 주소로는 할 수 없는 일이에요.", "That cannot be done at this address."),
        "wrong_state": (
            "그사이에 상태가 바뀌어서 할 수 없어요. 화면을 새로 열어 주세요.",
            "Its state has changed meanwhile. Reload the page.",
        ),
        "idempotency": (
            "같은 번호로 다른 부탁이 먼저 왔어요. 다시 해 주세요.",
            "A different request came with the same number. Try again.",
        ),
        "not_reachable": (
            "이 주소는 다른 기기에서 열 수 없어요. 운영자에게 알려 주세요.",
            "Other devices cannot reach this address. Tell the operator.",
        ),
        "too_slow": (
            "사진이 오다가 멈췄어요. 연결을 확인하고 다시 올려 주세요.",
            "The photo stopped arriving. Check your connection and send it again.",
        ),
        "over_time": (
            "너무 오래 걸려서 멈췄어요. 더 작은 사진으로 해 보세요.",
            "It took too long and was stopped. Try a smaller photo.",
        ),
        "over_memory": (
            "메모리가 모자라서 멈췄어요. 더 작은 사진으로 해 보세요.",
            "It needed too much memory and was stopped. Try a smaller photo.",
        ),
        "expired": (
            "보관 시간이 지나서 지웠어요. 사진을 새로 올려 주세요.",
            "It was removed because its time is over. Upload the photo again.",
        ),
        "too_large": ("파일이 너무 커요. 더 작은 파일을 골라 주세요.", "The file is too large. Choose a smaller one."),
        "image_too_large": (
            "사진의 화소가 너무 많아요. 크기를 줄여서 다시 올려 주세요.",
            "The photo has too many pixels. Make it smaller and try again.",
        ),
        "unreadable_image": (
            "사진 파일이 아니거나 깨졌어요. 다른 파일을 골라 주세요.",
            "This is no photo, or a damaged one. Choose another file.",
        ),
        "unsupported_image": (
            "이런 종류의 그림은 보호하지 못해요. JPEG나 PNG로 바꿔서 다시 올려 주세요.",
            "Pictures of this kind cannot be protected. Save it as JPEG or PNG and try again.",
        ),
        "option": (
            "빠졌거나 맞지 않는 것이 있어요. 사진과 방법을 골라 주세요.",
            "Something is missing or does not fit. Choose a photo and a way.",
        ),
        "rate": (
            "짧은 시간에 너무 많이 요청했어요. 잠시 뒤에 다시 해 주세요.",
            "Too many requests in a short time. Wait a moment and try again.",
        ),
        "quota": (
            "오늘 할 수 있는 만큼 다 했어요. 내일 다시 와 주세요.",
            "You have reached today's limit. Come back tomorrow.",
        ),
        "queue_full": (
            "기다리는 사진이 너무 많아요. 몇 분 뒤에 다시 해 주세요.",
            "Too many photos are waiting. Try again in a few minutes.",
        ),
        "internal": (
            "여기서 문제가 생겼어요. 다시 해 보고, 또 그러면 운영자에게 알려 주세요.",
            "Something went wrong here. Try again; if it happens once more, tell the operator.",
        ),
        "starting": (
            "아직 준비하고 있어요. 잠시 뒤에 다시 해 주세요.",
            "The service is still getting ready. Try again in a moment.",
        ),
        "database_down": (
            "기록을 보관하는 곳이 지금 대답하지 않아요. 곧 저절로 돌아오니 잠시 뒤에 다시 열어 주세요.",
            "The place where records are kept does not answer now. It comes back by itself; try again in a moment.",
        ),
        "queue_down": (
            "줄을 세우는 곳이 지금 대답하지 않아요. 잠시 뒤에 다시 해 주세요.",
            "The queue does not answer now. Try again in a moment.",
        ),
        "store_down": (
            "사진을 보관하는 곳이 지금 대답하지 않아요. 잠시 뒤에 다시 해 주세요.",
            "The place where photos are kept does not answer now. Try again in a moment.",
        ),
        "disk_full": (
            "저장할 자리가 없어요. 운영자에게 알려 주세요.",
            "There is no room left. Please tell the operator.",
        ),
        "store_full": (
            "보관하는 곳이 가득 찼어요. 오래된 것이 지워진 뒤에 다시 해 주세요.",
            "The storage is full. Try again when older files have been removed.",
        ),
        "error": ("하지 못했어요. 다른 사진으로 해 보세요.", "It did not work. Try another photo."),
        "input": ("이 파일로는 할 수 없어요. 다른 사진을 골라 주세요.", "This file cannot be used. Choose another."),
        "no_face": (
            "사진에서 얼굴을 찾지 못해서 바꾼 것이 없어요. 얼굴이 더 크게 나온 사진으로 해 보세요.",
            "No face was found, so nothing was changed. Try a photo in which the face is larger.",
        ),
        "output": (
            "결과를 저장하지 못했어요. 운영자에게 알려 주세요.",
            "The result could not be saved. Please tell the operator.",
        ),
        "weights": (
            "필요한 모델을 쓸 수 없어요. 운영자에게 알려 주세요.",
            "A model that is needed cannot be used. Please tell the operator.",
        ),
        "weights_missing": (
            "필요한 모델이 아직 없어요. 운영자에게 알려 주세요.",
            "A model that is needed is not here yet. Please tell the operator.",
        ),
        "weights_corrupt": (
            "모델 파일이 깨졌어요. 운영자에게 알려 주세요.",
            "A model file is damaged. Please tell the operator.",
        ),
        "weights_unreachable": (
            "모델을 내려받지 못했어요. 잠시 뒤에 다시 해 주세요.",
            "A model could not be downloaded. Try again in a moment.",
        ),
        "worker_lost": (
            "이 사진을 처리하다가 프로그램이 여러 번 멈췄어요. 더 작은 사진으로 해 보세요.",
            "The work on this photo stopped the program several times. Try a smaller photo.",
        ),
        "cancelled": ("취소했어요.", "It was cancelled."),
        "unwell": (
            "지금은 상태가 좋지 않아요. 잠시 뒤에 다시 해 주세요.",
            "It is not well now. Try again in a moment.",
        ),
    }
)
"""Error code -> what it means and what to do, in Korean and in English."""


@dataclass(frozen=True, slots=True)
class Words:
    """The page's words in one language."""

    language: str

    def __call__(self, key: str, **gaps: object) -> str:
        """Return a sentence with its gaps filled; KeyError for one that does not exist."""
        return WORDS[key][LANGUAGES.index(self.language)].format(**gaps)

    def known(self, key: str) -> bool:
        """Return whether there is such a sentence."""
        return key in WORDS

    def error(self, code: str) -> str:
        """Return the sentence for an error; the general one for a code of a kind that is not known here."""
        return ERRORS.get(code, ERRORS["error"])[LANGUAGES.index(self.language)]

    def duration(self, seconds: float) -> str:
        """Return a rough time in words that suit its length."""
        if seconds < 60:
            return self("unit.seconds", n=max(1, round(seconds)))
        if seconds < 3600:
            return self("unit.minutes", n=round(seconds / 60))
        hours = round(seconds / 3600)
        return self("unit.hour") if hours == 1 else self("unit.hours", n=hours)


def choose(asked: str, accepted: str) -> str:
    """Return the language to use: the one asked for, else the first of the browser's that is here, else English.

    `accepted` is the header Accept-Language; where it is empty, Korean: most users' first language.
    """
    if asked in LANGUAGES:
        return asked
    if not accepted:
        return LANGUAGES[0]
    ranked = sorted((_ranked(each) for each in accepted.split(",")), reverse=True)
    return next((name for weight, name in ranked if weight > 0 and name in LANGUAGES), "en")


def _ranked(part: str) -> tuple[float, str]:
    name, _, weight = part.strip().lower().partition(";q=")
    try:
        return float(weight or 1), name.partition("-")[0]
    except ValueError:
        return 0.0, name
