"""Operations: services that commands, JSON and the admin show."""
