"""Words about people: invitations, members, tokens, one's own account, and new studios."""

from typing import Final

WORDS: Final[dict[str, tuple[str, str]]] = {
    "action.invite_staff": ("Пригласить сотрудника", "Invite a staff member"),
    "action.revoke_invitation": ("Отозвать приглашение", "Withdraw the invitation"),
    "action.change_staff": ("Изменить роль или имя", "Change role or name"),
    "action.deactivate_staff": ("Закрыть доступ", "Deactivate"),
    "action.reactivate_staff": ("Вернуть доступ", "Reactivate"),
    "action.create_token": ("Создать токен", "Create a token"),
    "action.revoke_token": ("Отозвать токен", "Revoke the token"),
    "action.end_sign_in": ("Завершить сеанс", "End this sign-in"),
    "action.change_password": ("Сменить пароль", "Change the password"),
    "action.set_language": ("Выбрать язык", "Choose a language"),
    "action.create_studio": ("Создать студию", "Create a studio"),
    "action.invite_platform_admin": ("Пригласить администратора платформы", "Invite a platform admin"),
    # What is audited without being an action.
    "action.sign_in": ("Вход", "Sign-in"),
    "action.sign_in_failed": ("Неудачный вход", "Failed sign-in"),
    "action.sign_out": ("Выход", "Sign-out"),
    "action.accept_invitation": ("Приглашение принято", "Invitation accepted"),
    "action.change_password_failed": ("Неверный старый пароль", "Wrong old password"),
    "action.create_staff": ("Сотрудник создан", "Staff member created"),
    "action.register": ("Регистрация клиента", "Customer registered"),
    "action.session_reused": ("Повторно предъявлен старый токен", "A used token was shown again"),
    "field.email": ("Электронная почта", "E-mail"),
    "field.role": ("Роль", "Role"),
    "field.label": ("Для чего токен", "What the token is for"),
    "field.days": ("Срок действия, дней", "Valid for, days"),
    "field.old_password": ("Старый пароль", "Old password"),
    "field.new_password": ("Новый пароль", "New password"),
    "field.locale": ("Язык", "Language"),
    "field.host": ("Адрес сайта (хост)", "Host"),
    "field.timezone": ("Часовой пояс (IANA)", "Time zone (IANA)"),
    "field.currency": ("Валюта", "Currency"),
    "field.owner_email": ("Почта владельца", "Owner's e-mail"),
    "choice.owner": ("владелец", "owner"),
    "choice.manager": ("менеджер", "manager"),
    "choice.support": ("поддержка", "support"),
    "choice.ops": ("эксплуатация", "operations"),
    "choice.ru": ("русский", "Russian"),
    "choice.en": ("английский", "English"),
    "effect.role_changes": ("Роль сменится: {before} → {after}", "The role changes: {before} → {after}"),
    "effect.sign_ins_end": (
        "Войти больше будет нельзя; {count} {count:вход или токен перестанет|входа и токена перестанут|"
        "входов и токенов перестанут} действовать сразу",
        "This person cannot sign in; {count} {count:sign-in or token ends|sign-ins and tokens end} at once",
    ),
    "effect.sign_ins_end.none": (
        "Войти больше будет нельзя",
        "This person cannot sign in any more",
    ),
    "effect.invitations_close": (
        "{count} {count:отправленное приглашение будет отозвано|отправленных приглашения будут отозваны|"
        "отправленных приглашений будут отозваны}",
        "{count} {count:invitation that this person sent is|invitations that this person sent are} withdrawn",
    ),
    "problem.wrong_credentials": (
        "Неверная почта или пароль",
        "E-mail or password is not right",
    ),
    "problem.too_many_tries": (
        "Слишком много неверных паролей. Подождите и попробуйте снова",
        "Too many wrong passwords. Wait before the next try",
    ),
    "problem.forbidden": ("Вашей роли это недоступно", "Your role may not do this"),
    "problem.form_expired": (
        "Форма устарела. Откройте её заново",
        "This form is out of date. Open it again",
    ),
    "problem.email_taken": (
        "Эта почта уже есть среди сотрудников",
        "Somebody on the staff has this e-mail already",
    ),
    "problem.invitation_closed": (
        "Приглашение использовано, отозвано или истекло",
        "This invitation is used, withdrawn or expired",
    ),
    "problem.last_owner": (
        "В студии должен остаться хотя бы один владелец",
        "A studio keeps at least one active owner",
    ),
    "problem.own_account": (
        "Свою роль и свой доступ меняет другой владелец",
        "Another owner changes your role or access",
    ),
    "problem.too_many_invitations": (
        "Открытых приглашений слишком много (больше {limit} нельзя)",
        "Too many invitations are open (at most {limit})",
    ),
    "problem.secret_required": (
        "Для другого адреса введите секрет ещё раз: по старому его узнал бы тот, кто там слушает",
        "For another address enter the secret again: the old one would tell itself to whoever listens there",
    ),
    "problem.too_many_tokens": (
        "Действующих токенов слишком много (больше {limit} нельзя)",
        "Too many tokens are in use (at most {limit})",
    ),
    "problem.host_taken": ("Этот адрес занят другой студией", "Another studio has this host"),
}
